"""CAP messages of a weather service, as they come from outside; one element a line."""


def info(language: str = "th-TH", event: str = "ฝนตกหนัก", **changes: str) -> str:
    """An info block; `changes` replace the values of its elements."""
    stated = {
        "category": "Met",
        "urgency": "Expected",
        "severity": "Severe",
        "certainty": "Likely",
        "effective": "2024-10-14T07:00:00+07:00",
        "expires": "2024-10-14T18:00:00+07:00",
        "value": "TH-83",
        **changes,
    }
    return f"""  <info>
    <language>{language}</language>
    <category>{stated["category"]}</category>
    <event>{event}</event>
    <responseType>Monitor</responseType>
    <urgency>{stated["urgency"]}</urgency>
    <severity>{stated["severity"]}</severity>
    <certainty>{stated["certainty"]}</certainty>
    <effective>{stated["effective"]}</effective>
    <onset>2024-10-14T09:00:00+07:00</onset>
    <expires>{stated["expires"]}</expires>
    <headline>{event} 83</headline>
    <web>https://tmd.example.th/warnings/1</web>
    <area>
      <areaDesc>ภูเก็ต</areaDesc>
      <polygon>7.7,98.2 8.2,98.2 8.2,98.5 7.7,98.2</polygon>
      <geocode>
        <valueName>ISO 3166-2</valueName>
        <value>{stated["value"]}</value>
      </geocode>
      <altitude>12.5</altitude>
    </area>
  </info>
"""


def message(
    *,
    kind: str = "Alert",
    identifier: str = "m-1",
    sent: str = "2024-10-14T06:40:00+07:00",
    references: str = "",
    infos: str | None = None,
) -> bytes:
    """A message of the weather service about Phuket."""
    named = f"  <references>{references}</references>\n" if references else ""
    said = info() + info("en-US", event="Heavy rain") if infos is None else infos
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2">
  <identifier>{identifier}</identifier>
  <sender>warning@tmd.example.th</sender>
  <sent>{sent}</sent>
  <status>Actual</status>
  <msgType>{kind}</msgType>
  <scope>Public</scope>
  <code>profile:CAP-TH:0.1</code>
{named}  <incidents>flood-1</incidents>
{said}</alert>
""".encode()


MESSAGE = message()


def changed(old: str, new: str) -> bytes:
    """The message with one piece of its text replaced, wherever it stands."""
    assert old in MESSAGE.decode()
    return MESSAGE.decode().replace(old, new).encode()
