"""All that people do, and Kafka. Each command acts on the services and on the books, and does nothing where nothing
can be done; its two numbers choose what to act on and how."""

from collections.abc import Mapping

from tests.model.invoices import add_by_hand, claim, confirm, correct, discard, edit, remove
from tests.model.play import Command, Play
from tests.model.work import approve, cancel, mark_ready, reprice, set_billing_type, unmark_ready


async def repeat(play: Play, n: int, m: int) -> None:
    """Kafka says it all again."""
    await play.world.repeat()


COMMANDS: Mapping[str, Command] = {
    "approve": approve, "approve more": approve, "cancel": cancel, "mark ready": mark_ready, "ready": mark_ready,
    "unmark ready": unmark_ready, "set billing type": set_billing_type, "claim": claim, "claim more": claim,
    "edit": edit, "edit more": edit, "remove": remove, "discard": discard, "add by hand": add_by_hand,
    "confirm": confirm, "confirm more": confirm, "correct": correct, "repeat": repeat, "reprice": reprice,
}  # fmt: skip
