"""A mail server with TLS and logins that follows a script: the names of users and mailboxes say what it does.

    aiosmtpd.py PORT CERTIFICATE KEY FILE

Each mail that it accepts becomes a line of FILE: the recipients and the content, as JSON.
"""

import asyncio
import collections
import json
import ssl
import sys
import time

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, syntax

PORT, CERTIFICATE, KEY, FILE = sys.argv[1:]
SEEN = collections.Counter()


def first(name):
    """Whether something happens for the first time."""
    SEEN[name] += 1
    return SEEN[name] == 1


class Scripted(SMTP):
    @syntax("DATA")
    async def smtp_DATA(self, arg):
        for address in self.envelope.rcpt_tos:
            name = address.split("@")[0]
            if name == "drop" and first(address):
                # In the midst of the mail.
                await self.push("354 go")
                await self._reader.readline()
                self.transport.abort()
                return
        await super().smtp_DATA(arg)


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        name = address.split("@")[0]
        code, _, when = name.partition("-")
        if code.isdigit() and when in ("rcpt", "always"):
            if when == "always" or first(address):
                return f"{code} {code[0]}.0.0 scripted"
        envelope.rcpt_tos.append(address)
        return "250 good"

    async def handle_DATA(self, server, session, envelope):
        for address in envelope.rcpt_tos:
            name = address.split("@")[0]
            code, _, when = name.partition("-")
            if code.isdigit() and when == "data" and first(address):
                return f"{code} {code[0]}.0.0 scripted"
            if name == "hang" and first(address):
                await asyncio.sleep(60)
        mail = {
            "tls": session.ssl is not None,
            "login": session.authenticated,
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "content": envelope.content.decode("ascii"),
        }
        with open(FILE, "a") as file:
            file.write(json.dumps(mail) + "\n")
        return "250 2.0.0 stored"


def login(server, session, envelope, mechanism, data):
    if data.login == b"later":
        return AuthResult(success=False, handled=False, message="454 4.7.0 later")
    good = (data.login, data.password) == (b"probe", b"s3cret")
    return AuthResult(success=good, handled=False)


class Server(Controller):
    def factory(self):
        return Scripted(self.handler, **self.SMTP_kwargs)


context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain(CERTIFICATE, KEY)
Server(
    Handler(),
    hostname="127.0.0.1",
    port=int(PORT),
    tls_context=context,
    require_starttls=True,
    authenticator=login,
    auth_required=True,
    # So that a client has to know both.
    auth_exclude_mechanism=["PLAIN"],
).start()
print("ready", flush=True)
while True:
    time.sleep(3600)
