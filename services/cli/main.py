"""The `kamkap` command. Each command imports what it needs when it runs, so that help is quick."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from services.cli import key_commands

app = typer.Typer(
    name="kamkap",
    help="กำกับ: ระบบกำกับและติดตามศูนย์ปฏิบัติการ · Oversight of a country's operations centres.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

app.add_typer(key_commands.app, name="key")

Files = Annotated[
    list[Path], typer.Argument(exists=True, readable=True, help="NDJSON หรือ CSV · NDJSON or CSV")
]
Directory = Annotated[Path, typer.Argument(help="โฟลเดอร์ · folder", file_okay=False)]


@app.command()
def up(
    port: Annotated[int | None, typer.Option(help="พอร์ต · port (KAMKAP_PORT, 8000)")] = None,
    home: Annotated[Path | None, typer.Option(help="ที่เก็บข้อมูล · state (KAMKAP_HOME)")] = None,
    demo: Annotated[
        bool, typer.Option("--demo/--no-demo", help="ประเทศสาธิต · the demonstration country")
    ] = True,
) -> None:
    """เปิดทุกอย่างบนพอร์ตเดียว · Start everything on one port."""
    from services.cli.running import end, stated_settings
    from services.cli.up import run_up

    # A person reads the terminal: what goes as it should is not told there.
    level = os.environ.get("KAMKAP_LOG_LEVEL") or "warning"
    end(lambda: run_up(stated_settings(port=port, home=home, log_level=level), demo=demo))


@app.command()
def ingest() -> None:
    """ประตูของศูนย์ · The centres' door."""
    from services.ingest.process import run
    from services.operation.process import launch

    launch(run)


@app.command()
def projections() -> None:
    """แบบจำลองสำหรับอ่าน · Keep the read models up to date."""
    from services.operation.process import launch
    from services.projections.process import run

    launch(run)


@app.command()
def timers() -> None:
    """สิ่งที่เกิดเพราะเวลาผ่านไป · What happens because time has passed: silence, deadlines."""
    from services.operation.process import launch
    from services.timers.process import run

    launch(run)


@app.command()
def api() -> None:
    """ประตูอ่าน · The gateway: every read over HTTP."""
    from services.api.process import run
    from services.operation.process import launch

    launch(run)


@app.command()
def relay() -> None:
    """ส่งการตัดสินใจเข้าบันทึก เดินนาฬิกาของเครือข่าย · Publish decisions and append ticks."""
    from services.operation.process import launch
    from services.relay.process import run

    launch(run)


@app.command()
def dispatcher() -> None:
    """ส่งคำสั่งการออกไปถึงผู้รับ · Bring directives to those they are for: Kafka, deliveries."""
    from services.dispatcher.process import run
    from services.operation.process import launch

    launch(run)


@app.command()
def migrate() -> None:
    """เตรียมฐานข้อมูลและบันทึก · Bring the database and the log's topics to today's shape."""
    from services.cli.preparation import run_migrate
    from services.cli.running import end, tool_settings

    end(lambda: run_migrate(tool_settings()))


@app.command()
def load(
    files: Files,
    archive: Annotated[
        bool,
        typer.Option("--import", help="ผู้ดูแลเท่านั้น: รับช่วงคลัง · operator: take over an archive"),
    ] = False,
    token: Annotated[str | None, typer.Option(help="โทเค็นของศูนย์ · the centre's token")] = None,
    address: Annotated[str | None, typer.Option("--to", help="ที่อยู่ · base address")] = None,
    sign: Annotated[Path | None, typer.Option(help="ลงลายมือชื่อด้วยกุญแจ · sign with a key")] = None,
) -> None:
    """ส่งเหตุการณ์ผ่านประตูสาธารณะ · Send events through the public door."""
    from services.cli.load import Door, run_load
    from services.cli.running import end, tool_settings
    from services.cli.signer import Signer
    from services.cli.take_over import run_import

    if archive:
        end(lambda: run_import(tool_settings(), files))

    async def run() -> int:
        signer = None if sign is None else Signer.open(sign)
        door = Door.named(tool_settings(), token=token, address=address, signer=signer)
        return await run_load(door, files)

    end(run)


@app.command()
def exercise(
    file: Annotated[Path, typer.Argument(exists=True, readable=True, help="NDJSON")],
    speed: Annotated[float, typer.Option(min=0.001, help="เร็วกว่ากำหนดกี่เท่า · factor")] = 1.0,
    run: Annotated[str | None, typer.Option(help="ชื่อรอบ · its name")] = None,
    token: Annotated[str | None, typer.Option(help="โทเค็นเดียวสำหรับทุกคน · one for all")] = None,
    address: Annotated[str | None, typer.Option("--to", help="ที่อยู่ · base address")] = None,
) -> None:
    """เล่นการฝึกซ้อมตามกำหนดเวลา · Play an exercise on its timetable, in its own realm."""
    from services.cli.exercise import run_exercise
    from services.cli.load import Door
    from services.cli.running import end, tool_settings

    async def play() -> int:
        door = Door.named(tool_settings(), token=token, address=address)
        return await run_exercise(door, file, speed=speed, run=run)

    end(play)


@app.command()
def verify(
    event: Annotated[
        Path, typer.Argument(help="เหตุการณ์ · as GET /v1/events answered", exists=True)
    ],
    keys: Annotated[Path, typer.Argument(help="กุญแจ · as GET /v1/keys answered", exists=True)],
) -> None:
    """ตรวจลายมือชื่อของเหตุการณ์ · Check an event's signature (deploy/verify/verify.py, by itself)."""
    from deploy.verify.verify import main

    sys.exit(main(str(event), str(keys)))


@app.command()
def token(
    identity: Annotated[str, typer.Argument(help="เช่น · like: pm, deputy:ID, poc:TH-83")],
    lifetime: Annotated[str, typer.Option(help="อายุ · lifetime: 30m, 12h, 7d")] = "12h",
) -> None:
    """พิมพ์โทเค็นจากผู้ออกในตัว · Print a bearer token of the embedded issuer."""
    from services.cli.running import end, tool_settings
    from services.cli.token import run_token

    end(lambda: run_token(tool_settings(), identity, lifetime))


@app.command()
def client(
    identity: Annotated[str, typer.Argument(help="เช่น · like: poc:TH-83, analyst")],
) -> None:
    """พิมพ์รหัสลับของระบบ (client credentials) · Print a system's secret for client credentials."""
    from services.cli.running import end, tool_settings
    from services.cli.token import run_client

    end(lambda: run_client(tool_settings(), identity))


@app.command()
def rebuild(
    models: Annotated[list[str], typer.Argument(metavar="MODEL…", help="แบบจำลอง · read models")],
) -> None:
    """สร้างใหม่ข้างของจริงแล้วสลับ · Rebuild read models beside the live ones and switch."""
    from services.cli.rebuild import run_rebuild
    from services.cli.running import end, tool_settings

    end(lambda: run_rebuild(tool_settings(), models))


@app.command()
def lag() -> None:
    """แต่ละแบบจำลองตามหลังบันทึกเท่าใด · How far each projection is behind the log."""
    from services.cli.lag import run_lag
    from services.cli.running import end, tool_settings

    end(lambda: run_lag(tool_settings()))


@app.command()
def backup(directory: Directory) -> None:
    """สำรองบันทึก การตัดสินใจ และกุญแจ · Save the log, the decision store and the keys."""
    from services.cli.backup import run_backup
    from services.cli.running import end, stated_settings

    end(lambda: run_backup(stated_settings(), directory))


@app.command()
def restore(directory: Directory) -> None:
    """กู้คืนสู่ที่ว่าง เป็นยุคใหม่ · Restore into an empty place, as a new epoch, and rebuild."""
    from services.cli.restore import run_restore
    from services.cli.running import end, stated_settings

    end(lambda: run_restore(stated_settings(), directory))


@app.command()
def settings() -> None:
    """พิมพ์ตารางค่าตั้ง · Print the table of settings (docs/settings.md)."""
    from services.operation.settings import page

    sys.stdout.write(page())


@app.command()
def secret() -> None:
    """พิมพ์ค่าใหม่สำหรับ KAMKAP_SECRET · Print a new value for KAMKAP_SECRET."""
    from cryptography.fernet import Fernet

    typer.echo(Fernet.generate_key().decode())
