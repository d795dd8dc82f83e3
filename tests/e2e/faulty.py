"""A server with mistakes a fuzzer must find: `create` is what granian calls."""

from __future__ import annotations

from fastapi import FastAPI, Query
from fastapi.responses import PlainTextResponse, Response


def create() -> FastAPI:
    """A sound operation, and three with one mistake each."""
    app = FastAPI()

    @app.get("/sound")
    def sound() -> dict[str, str]:
        return {"all": "well"}

    @app.get("/nul")
    def fails_on_a_nul_and_its_like(text: str = Query(max_length=50)) -> dict[str, int]:
        if any(char < " " for char in text):
            raise RuntimeError("a control character")
        return {"length": len(text)}

    @app.get("/status")
    def answers_what_it_does_not_describe(number: int = 0) -> Response:
        return Response("{}", 418 if number > 1000 else 200, media_type="application/json")

    @app.get("/type")
    def answers_in_another_type() -> Response:
        return PlainTextResponse("not JSON")

    return app
