"""One drawing read and recorded, whichever way it came in."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from drawops.errors import Unavailable
from drawops.serving.slot import LoadedModel, ModelSlot

if TYPE_CHECKING:
    from drawops.settings import Settings


def loaded(slot: ModelSlot) -> LoadedModel:
    """
    Raises:
        Unavailable: no version is loaded yet; the message says why.
    """
    if slot.current is None:
        raise Unavailable(f"No model version is loaded yet. {slot.problem or 'Ask /readyz until it answers 200.'}")
    return slot.current


def read_and_record(
    path: Path, model: LoadedModel, settings: "Settings", *, caller: str, vector_text: bool = True
) -> dict[str, Any]:
    """What `read_file` says of the drawing at `path`, with its `reading_id`."""
    from drawops.ocr import read_file
    from drawops.registry import Records

    reading = read_file(path, model.reader, model=model.label, use_vector_text=vector_text)
    reading["file"] = path.name
    stored = Records(settings.records_url).store_reading(path, reading, caller=caller, source="api")
    return {**reading, "reading_id": stored}
