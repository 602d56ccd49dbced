"""The customer's panel: what they agreed to, changed with one switch, proved and taken back.

`consent-panel` is the web application as a program, for a registrar's directory in a file of JSON
lines. A registrar with its domains elsewhere gives it a `Directory` of its own, and a mailer with a
queue an `Outbox`:

    async with AsyncConsentClient("consent.internal:443", credentials=credentials) as client:
        app = create_app(Settings.read(os.environ), client, directory, outbox)

Everything that it knows of consent it asks the service, and it keeps nothing.
"""

from panel._app import create_app
from panel._outbox import Outbox
from panel._people import KeysInvalid
from panel._settings import Settings, SettingsInvalid

__all__ = ["KeysInvalid", "Outbox", "Settings", "SettingsInvalid", "create_app"]
