"""The words of `kamkap key`. Each command imports what it needs when it runs."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="กุญแจสำหรับลงลายมือชื่อ · Keys by which centres sign their events.", no_args_is_help=True
)

File = Annotated[Path, typer.Argument(help="แฟ้มกุญแจลับ · file of the private key", dir_okay=False)]
Centre = Annotated[str, typer.Argument(help="เช่น · like: poc:TH-83")]
From = Annotated[str, typer.Option("--from", help="ตั้งแต่ · from, like 2026-10-01T00:00:00+07:00")]
To = Annotated[str | None, typer.Option("--to", help="ถึงก่อน · until, the first moment after")]
Source = Annotated[str, typer.Option(help="หลักฐาน · where the fact stands")]


@app.command()
def new(file: File) -> None:
    """สร้างกุญแจ พิมพ์ส่วนสาธารณะ · Make a private key, print its id and its public part."""
    from services.cli.key import run_new
    from services.cli.running import end

    end(lambda: run_new(file))


@app.command()
def show(file: File) -> None:
    """พิมพ์ส่วนสาธารณะ · Print the id and the public part of a private key."""
    from services.cli.key import run_show
    from services.cli.running import end

    end(lambda: run_show(file))


@app.command()
def register(
    centre: Centre,
    public: Annotated[str, typer.Option(help="ส่วนสาธารณะ · the public part, from key show")],
    valid_from: From,
    valid_to: To = None,
    revoked_from: Annotated[
        str | None, typer.Option(help="เพิกถอนตั้งแต่ · not believed from then on")
    ] = None,
    source: Source = "kamkap key register",
) -> None:
    """ผู้ดูแลเท่านั้น: ลงทะเบียนกุญแจของศูนย์ · Operator: register a centre's key, or state its end."""
    from schemas.events.signing import KeyRegistered
    from services.cli.key import moment, public_key, run_register
    from services.cli.running import end, tool_settings
    from services.domain.signing import key_id_of

    async def run() -> int:
        stated = {
            "centre": centre,
            "key_id": key_id_of(public_key(public)),
            "public_key": public,
            "valid_from": moment(valid_from),
            "valid_to": moment(valid_to),
            "revoked_from": moment(revoked_from),
            "source": source,
        }
        return await run_register(tool_settings(), KeyRegistered.model_validate(stated))

    end(run)


@app.command()
def require(
    centre: Centre,
    required_from: From,
    required_to: To = None,
    source: Source = "kamkap key require",
) -> None:
    """ผู้ดูแลเท่านั้น: ศูนย์ต้องลงลายมือชื่อ · Operator: from then on the centre has to sign."""
    from schemas.events.signing import SigningRequired
    from services.cli.key import moment, run_require
    from services.cli.running import end, tool_settings

    async def run() -> int:
        stated = {
            "centre": centre,
            "required_from": moment(required_from),
            "required_to": moment(required_to),
            "source": source,
        }
        return await run_require(tool_settings(), SigningRequired.model_validate(stated))

    end(run)
