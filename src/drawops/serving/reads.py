"""One drawing read and recorded, whichever way it came in."""

from pathlib import Path
from typing import Any

from fastapi import Request

from drawops.errors import Unavailable
from drawops.serving.doorway import Seen, seen_of
from drawops.serving.slot import LoadedModel, ModelSlot


def loaded(slot: ModelSlot) -> LoadedModel:
    """
    Raises:
        Unavailable: no version is loaded yet; the message says why.
    """
    if slot.current is None:
        raise Unavailable(f"No model version is loaded yet. {slot.problem or 'Ask /readyz until it answers 200.'}")
    return slot.current


def read_and_record(
    request: Request, path: Path, model: LoadedModel, *, vector_text: bool = True, on_behalf_of: str = ""
) -> dict[str, Any]:
    """What `read_file` says of the drawing at `path`, with its `reading_id`. Log and metrics hear of it."""
    from drawops.ocr import read_file
    from drawops.registry import Records

    reading = read_file(path, model.reader, model=model.label, use_vector_text=vector_text)
    reading["file"] = path.name
    seen = seen_of(request)
    seen.model, seen.digest = model.label, model.digest
    seen.pages += len(reading["pages"])
    seen.lines += sum(len(page["lines"]) for page in reading["pages"])
    request.app.state.metrics.drawing_read(model.label, reading["pages"])
    records = Records(request.app.state.settings.records_url)
    reading["reading_id"] = records.store_reading(path, reading, caller=_caller(seen, on_behalf_of), source="api")
    return reading


def _caller(seen: Seen, said: str) -> str:
    """Who asks, for the record. A key proves it; what the caller says of himself stands beside it."""
    if seen.key:
        return f"{seen.key} ({said})" if said else seen.key
    return said or f"http {seen.address}"
