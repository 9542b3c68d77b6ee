# SPDX-License-Identifier: PostgreSQL
"""A supervisor that answers by script: for what the real one does only with luck (silence, endings
at an instant, thousands of objects, hostile names). It speaks the protocol and nothing else."""

import json
import os
import socket
import threading
from pathlib import Path

PONG = {"kind": "pong", "database": "ready", "version": "0.1.0", "name": "scripted", "pid": 1,
        "running": 0, "queued": 0, "paused": False}


def upload(number=1, **fields):
    """A public object, as a supervisor makes it."""
    path = fields.get("path", f"/data/{number}.csv")
    status = fields.get("status", "PROCESSED")
    over = status in ("PROCESSED", "STOPPED", "KILLED", "FAILED")
    following = None if status == "PROCESSED" else f"uploadctl upload {path}"
    made = {"id": number, "path": path, "profile": "contacts", "status": status,
            "phase": "ended" if over else "running", "rows": 5_000_000, "rejects": 0, "line": 5,
            "offset": 1000, "size": 1000, "percent": 100.0, "rate": None, "error": None,
            "owner": "scripted", "next": following if over else f"uploadctl wait {number}",
            "created_at": "2025-01-31T16:05:09.123456Z",
            "updated_at": "2025-01-31T16:05:10.123456Z", "retry_at": None, "content": None,
            "priority": 0, "waits_for": None, "in_front": None}
    return {**made, **fields}


def error(code, message="no", **fields):
    return {"kind": "error", "error": {"code": code, "message": message, "detail": None,
                                       "hint": None, "sqlstate": None, **fields}}


def last(one, note=None):
    answer = {"kind": "object", "upload": one, "last": True}
    return {**answer, "note": note} if note else answer


def progress(one):
    return {"kind": "object", "upload": one, "last": False}


class Client:
    """One connection, on the supervisor's side."""

    def __init__(self, connection):
        self.connection = connection
        self.lines = connection.makefile("r", encoding="utf-8")

    def requests(self):
        for line in self.lines:
            yield json.loads(line)

    def answer(self, request, answer):
        self.raw(json.dumps({"ref": request["ref"], **answer}).encode() + b"\n")

    def raw(self, data):
        self.connection.sendall(data)

    def close(self):
        # the file that reads holds on to the socket
        self.connection.shutdown(socket.SHUT_RDWR)
        self.lines.close()
        self.connection.close()


class Supervisor:
    """Listens; `script(client, request)` answers whatever is no ping. All requests are kept."""

    def __init__(self, path, script, hello=True):
        self.path = Path(path)
        self.script = script
        self.hello = hello
        self.seen = []
        self.clients = []
        self.listen()

    def listen(self):
        self.path.unlink(missing_ok=True)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(self.path))
        self.socket.listen(10)
        threading.Thread(target=self._accept, args=(self.socket,), daemon=True).start()

    def _accept(self, listening):
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            client = Client(connection)
            self.clients.append(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        try:
            for request in client.requests():
                if request["kind"] != "ping":
                    self.seen.append(request)
                    self.script(client, request)
                elif self.hello:
                    client.answer(request, PONG)
        except (OSError, ValueError):
            pass  # it has gone, or was closed by the script

    def close(self):
        """Goes away; the socket stays, as after a crash."""
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        for client in self.clients:
            try:
                client.close()
            except OSError:
                pass
        self.clients = []


def environment(socket_path, **more):
    return {**os.environ, "UPLOADER_SOCKET": str(socket_path), **more}
