"""What the gateway says of each rule's refusal: its status, and one sentence in Thai and English.

The sentences are filled in with what the refusal carries, and speak of nothing else.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from services.domain import (
    directives,
    endpoints,
    entitlement,
    grounds,
    issuing,
    naming,
    orders,
    policies,
    signatures,
    signing,
    standing,
    subscriptions,
)
from services.domain.rejected import Rejected
from services.operation.problems import Text


@dataclass(frozen=True, slots=True)
class Refusal:
    """How one rule's refusal is told."""

    status: int
    text: Text | None = None
    """None: the rule's name says it."""

    def told(self, rejected: Rejected) -> Text | None:
        """The sentence about this one."""
        if self.text is None:
            return None
        said = {name: _written(value) for name, value in vars(rejected).items()}
        return Text(self.text.th.format(**said), self.text.en.format(**said))


def _conflict(th: str, en: str) -> Refusal:
    """The order does not fit what is there."""
    return Refusal(409, Text(th, en))


def _not_entitled(th: str, en: str) -> Refusal:
    """Somebody else may, or nobody."""
    return Refusal(403, Text(th, en))


REFUSALS: Mapping[type[Rejected], Refusal] = {
    entitlement.NotOwnSource: Refusal(403),
    entitlement.NotForCentres: Refusal(403),
    entitlement.CentreNotRegistered: Refusal(403),
    entitlement.ProvinceUnknown: Refusal(422),
    entitlement.PlaceNotEntitled: Refusal(403),
    entitlement.OriginalNotNamed: Refusal(422),
    entitlement.OriginalNotOwn: Refusal(403),
    signatures.SignatureMissing: Refusal(403),
    signatures.SignatureMalformed: Refusal(422),
    signatures.SignatureInvalid: Refusal(403),
    signatures.KeyUnknown: Refusal(403),
    signatures.KeyNotValid: Refusal(403),
    signatures.KeyRevoked: Refusal(403),
    signatures.AttributesNotCovered: Refusal(422),
    signing.WeakKey: Refusal(422),
    signing.KeyIdTaken: Refusal(409),
    orders.EndsBeforeItStarts: _conflict(
        "คำสั่งสิ้นผล {effective_to} ไม่หลังวันเริ่ม {effective_from}",
        "the order ends at {effective_to}, not after it starts at {effective_from}",
    ),
    orders.OrderNumberTaken: _conflict(
        "มีคำสั่งที่ {number} ฉบับอื่นอยู่แล้ว",
        "there is another order {number} already",
    ),
    orders.PowerGivenTwice: _conflict(
        "คำสั่งมอบ {target} (อำนาจ {power}) ให้มากกว่าหนึ่งคน: {deputies}",
        "the order gives {target} (power {power}) to more than one: {deputies}",
    ),
    naming.ProvinceNotThere: _conflict(
        "ไม่มีจังหวัด {province} ในวันที่ {day}", "there is no province {province} on {day}"
    ),
    naming.OutsideScheme: _conflict(
        "{province} อยู่นอกระบบ มอบเป็นพื้นที่ไม่ได้",
        "{province} is outside the scheme and cannot be given as an area",
    ),
    naming.UnitNotThere: _conflict(
        "ไม่มีหน่วยงาน {unit} ในวันที่ {day}", "there is no ministry or agency {unit} on {day}"
    ),
    naming.DeputyUnknown: _conflict(
        "ไม่มีผู้ใดขึ้นทะเบียนเป็น {deputy}", "nobody is registered as {deputy}"
    ),
    naming.InspectorUnknown: _conflict(
        "ไม่มีผู้ตรวจราชการ {inspector} ในวันที่ {day}", "there is no inspector {inspector} on {day}"
    ),
    naming.GroupNotThere: _conflict(
        "ไม่มีกลุ่มจังหวัดหรือเขตตรวจราชการ {name} ในวันที่ {day}",
        "there is no {group} {name} on {day}",
    ),
    naming.GroupNotWhole: _conflict(
        "ทะเบียนมีจังหวัดของกลุ่ม {name} ไม่ครบในวันที่ {day}",
        "not all members of cluster {name} are registered on {day}",
    ),
    naming.NotOfGroup: _conflict(
        "{province} ไม่ได้อยู่ใน {name} จึงยกเว้นไม่ได้",
        "{province} is not of {name} and cannot be excepted from it",
    ),
    naming.PowerOfOtherDimension: _conflict(
        "อำนาจ {power} ใช้กับ {target} ในมิติ {dimension} ไม่ได้",
        "the power {power} is not given over {target} in the dimension {dimension}",
    ),
    standing.OrderUnknown: _conflict(
        "ไม่มีคำสั่งที่ {order} หรือยังไม่มีผล", "there is no order {order}, or it has no effect yet"
    ),
    standing.TenureUnknown: _conflict(
        "ไม่มีวาระดำรงตำแหน่ง {tenure} ในเวลานั้น", "no tenure {tenure} runs at that moment"
    ),
    standing.TenureTaken: _conflict(
        "รหัสวาระ {tenure} มีผู้ใช้แล้ว", "the tenure's id {tenure} is taken"
    ),
    standing.AlreadyAppointed: _conflict(
        "{deputy} ดำรงตำแหน่ง {office} อยู่แล้ว (วาระ {tenure})",
        "{deputy} is {office} already (tenure {tenure})",
    ),
    standing.NotInOfficeThen: _conflict(
        "{deputy} ไม่ได้ดำรงตำแหน่งเมื่อ {at}", "{deputy} is in no office that holds at {at}"
    ),
    standing.ActingNotDeputy: _conflict(
        "{deputy} ไม่ใช่รองนายกรัฐมนตรี จึงรักษาราชการแทนไม่ได้",
        "{deputy} is no deputy PM and cannot act as Prime Minister",
    ),
    standing.SubstituteOfOneself: _conflict(
        "{deputy} ปฏิบัติราชการแทนตนเองไม่ได้", "{deputy} cannot stand in for themselves"
    ),
    standing.PowerHeld: _conflict(
        "{deputy} ถือ {target} (อำนาจ {power}) ตามคำสั่งที่ {order} อยู่ ณ {at}",
        "{deputy} holds {target} (power {power}) by order {order} at {at}: amend or revoke it",
    ),
    standing.NotHeld: _conflict(
        "{target} ไม่ได้อยู่ในความรับผิดชอบของผู้ที่ระบุ",
        "{target} is not held by whom the order names",
    ),
    standing.NothingReserved: _conflict(
        "คำสั่งที่ {order} ไม่มีเรื่องที่สงวนไว้", "order {order} reserves nothing that could be released"
    ),
    standing.NothingToRevoke: _conflict(
        "คำสั่งที่ {order} ไม่ได้มอบ {target} ในเวลานั้น",
        "order {order} does not give {target} at that moment",
    ),
    directives.DirectiveUnknown: Refusal(404, Text("ไม่มีข้อสั่งการนี้", "there is no such directive")),
    directives.DirectiveIdTaken: _conflict(
        "รหัสข้อสั่งการ {directive} มีผู้ใช้แล้ว", "the directive's id {directive} is taken"
    ),
    directives.IllegalStep: _conflict(
        "ทำขั้นตอน {step} ไม่ได้ เพราะขณะนี้อยู่ที่ {stands}",
        "{step} does not follow: it stands at {stands}",
    ),
    issuing.AddresseeNotNamed: _conflict(
        "ข้อสั่งการ {directive} มีผู้รับหลายราย ต้องระบุ addressee",
        "the directive {directive} has several addressees: name one",
    ),
    issuing.NotDrafter: _not_entitled(
        "ร่างข้อสั่งการในนามของ {deputy} ไม่ได้", "you do not draft in the name of {deputy}"
    ),
    policies.PolicyUnknown: _conflict(
        "ไม่มีนโยบายหรือมติ {policy} ในวันที่ {day}",
        "no policy or resolution {policy} is registered on {day}",
    ),
    policies.NotPolicyKeeper: _not_entitled(
        "บันทึกหรือยกเลิก {kind} ไม่ได้", "a {kind} is not yours to register or to revoke"
    ),
    policies.PolicyIdTaken: _conflict(
        "รหัส {policy} เป็นของนโยบายหรือมติอื่นแล้ว",
        "the id {policy} is that of another kind of policy, or of another ministry",
    ),
    policies.PolicyRevokedAlready: _conflict(
        "{policy} ถูกยกเลิกตั้งแต่วันที่ {valid_from} แล้ว", "{policy} was revoked from {valid_from} on"
    ),
    policies.PolicyNotOfCabinet: _conflict(
        "{policy} ไม่ใช่นโยบายหรือมติของคณะรัฐมนตรี จึงเป็นเหตุยับยั้งไม่ได้",
        "{policy} is a {kind}: only a cabinet policy or resolution is a ground",
    ),
    policies.PolicyNotApproved: _conflict(
        "มติ {policy} ไม่ได้อนุมัติหรือเห็นชอบ ({outcome}) จึงเป็นเหตุยับยั้งไม่ได้",
        "{policy} was only {outcome}, and changes no rule",
    ),
    policies.PolicyNotInForce: _conflict(
        "{policy} ไม่มีผลใช้บังคับในวันที่ {day}", "{policy} is not in force on {day}"
    ),
    directives.DueInThePast: _conflict(
        "กำหนดเวลาต้องอยู่ในอนาคต และกำหนดรับทราบต้องไม่หลังกำหนดรายงาน",
        "what is due lies ahead, and the acknowledgement not after the report",
    ),
    directives.NotAddressee: _not_entitled(
        "เฉพาะ {addressee} เท่านั้นที่ทำขั้นตอนนี้ได้", "only {addressee} takes this step"
    ),
    directives.NotIssuer: _not_entitled(
        "เฉพาะผู้ถือเรื่องในขณะนี้เท่านั้นที่ทำได้", "only who holds the matter now does this"
    ),
    directives.NotPrimeMinister: _not_entitled(
        "เฉพาะนายกรัฐมนตรีเท่านั้นที่ทำได้", "only the Prime Minister does this"
    ),
    directives.OwnDraft: _not_entitled(
        "ผู้ร่าง ({drafted_by}) ออกข้อสั่งการนั้นเองไม่ได้",
        "who wrote the draft ({drafted_by}) does not issue it",
    ),
    endpoints.AddressRefused: Refusal(
        422,
        Text("ที่อยู่ปลายทางใช้ไม่ได้ ({why})", "the address of the webhook is not taken: {why}"),
    ),
    subscriptions.TooManySubscriptions: _conflict(
        "มีการสมัครรับได้ไม่เกิน {most} รายการ", "one identity has at most {most} subscriptions"
    ),
    subscriptions.SubscriptionDisabled: _conflict(
        "การสมัครรับนี้ถูกปิดอยู่ ต้องเปิดใหม่ก่อน", "the subscription is disabled: enable it first"
    ),
    grounds.NotADecider: _not_entitled(
        "ผู้ใช้ประเภท {kind} ไม่มีอำนาจสั่งการ", "a {kind} decides nothing here"
    ),
    grounds.NotInOffice: _not_entitled(
        "{deputy} ไม่ได้ดำรงตำแหน่งแล้ว", "{deputy} is in no office at that moment"
    ),
    grounds.DeputyAway: _not_entitled(
        "มีคำสั่งว่า {deputy} ไม่อยู่หรือปฏิบัติราชการไม่ได้", "an order says that {deputy} is away or unable"
    ),
    grounds.DeputyPresent: _not_entitled(
        "{deputy} อยู่ปฏิบัติราชการ จึงปฏิบัติราชการแทนไม่ได้",
        "{deputy} is present: a substitute acts only while the deputy is away",
    ),
    grounds.EarlierSubstitute: _not_entitled(
        "{acting} เป็นผู้ปฏิบัติราชการแทน {deputy} อยู่ก่อนตามลำดับ",
        "{acting} comes first and acts for {deputy}",
    ),
    grounds.OutsideMatrix: _not_entitled(
        "{targets} ไม่อยู่ในความรับผิดชอบตามคำสั่ง", "no order in force gives {targets} to you"
    ),
    grounds.WrongKindOfPower: _not_entitled(
        "อำนาจ {held} เหนือ {targets} ไม่พอ ต้องเป็น {needed}",
        "the power {held} over {targets} does not do: it takes {needed}",
    ),
    grounds.MatterReserved: _not_entitled(
        "นายกรัฐมนตรีสั่งการเป็นอย่างอื่นตามคำสั่งที่ {order} ข้อ {clause}",
        "the Prime Minister has ordered otherwise by order {order}, clause {clause}",
    ),
    grounds.BeyondPowers: _not_entitled(
        "ต้องอาศัย {beyond} ซึ่งอยู่นอกอำนาจ เสนอนายกรัฐมนตรีพร้อมความเห็นได้",
        "it needs {beyond}, beyond your powers: it can be sent to the PM with your opinion",
    ),
    grounds.FundPowerNotGiven: _not_entitled(
        "{deputy} ไม่มีอำนาจอนุมัติเงินสำรองจ่ายฉุกเฉิน", "{deputy} has no power over emergency money"
    ),
    grounds.ConsentMissing: _not_entitled(
        "ผู้รักษาราชการแทนต้องได้รับความเห็นชอบจากนายกรัฐมนตรีก่อน",
        "who acts as Prime Minister needs the PM's prior consent to {act}",
    ),
    grounds.NeverEntrusted: _not_entitled(
        "เรื่องนี้มอบหมายให้ผู้ตรวจราชการไม่ได้", "{act} is never entrusted to an inspector"
    ),
    grounds.NotEntrusted: _not_entitled(
        "ผู้ตรวจราชการ {inspector} ไม่ได้รับมอบหมายเรื่องนี้",
        "nobody who holds it has entrusted {act} to {inspector}",
    ),
}
"""Of every rule there is; the suite refuses a rule that is not here."""


def _written(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
