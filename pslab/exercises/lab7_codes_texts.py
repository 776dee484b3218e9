"""What is believed about rows of few bits: the sentences of 7.3."""

from __future__ import annotations

from pslab.grade import Misconception

_SENTENCES = {
    "7/no-scale-kept": "A row has no scale and no minimum of its own beside its codes; with them int8 is D + 8 "
    "bytes a row, and not a quarter of 4·D.",
    "7/one-code-a-byte": "Each code of four bits takes a byte; two of them share one.",
    "7/wide-scales": "Scale and minimum of an int4 row are float16, 2 bytes each; you kept float32.",
    "7/wrong-width": "The row has another number of bytes: D + 8 for int8, D/2 + 4 for int4.",
    "7/nibbles-swapped": "The two codes of a byte are exchanged; the first number is in the low four bits.",
    "7/scale-and-minimum-exchanged": "Scale and minimum are exchanged; the scale stands first.",
    "7/scale-in-front": "Scale and minimum stand before the codes; in this layout they follow them.",
    "7/one-scale-for-all": "One scale serves all rows; a row of small numbers is then nothing but zeros, so each "
    "row has its own.",
    "7/a-step-too-many": "You divided the range by 256 or 16; 256 codes have 255 steps between them, and the "
    "largest number does not fit otherwise.",
    "7/no-minimum": "Codes start from zero and not from the row's minimum; rows far from zero lose nearly all their "
    "steps.",
    "7/rounded-down": "Codes are cut off and not rounded; the error is up to a whole step and always to one side.",
    "7/wrong-codes": "A number comes back further away than half a step of its row; code = nearest to (x - min) / "
    "scale.",
    "7/minimum-forgotten": "dequantize leaves out the row's minimum: x is code · scale + minimum.",
    "7/codes-are-signed": "You read codes as signed numbers; they go from 0 to 255, or 15.",
    "7/wrong-number": "dequantize gives another number than code · scale + minimum of the same row.",
    "7/scale-of-a-constant-row": "A row of equal numbers has the range 0, and dividing by its scale gives no "
    "number; such a row must come back exactly, and any scale but 0 does it.",
    "7/rounded-to-the-nearest": "You round to the nearest; a step smaller than half a code is lost each time, and "
    "the row never learns.",
    "7/always-the-same": "You always round to the same side; on average the number has to stay what it was.",
    "7/heads-or-tails": "Up and down have the same chance; 3.75 has to go up three times out of four.",
    "7/chance-exchanged": "The chances are exchanged; the nearer neighbour is the likelier one.",
    "7/further-than-the-neighbours": "A number went further than to the whole numbers beside it; negative numbers "
    "have their floor below them.",
    "7/not-a-whole-number": "What came back is no whole number; noise alone rounds nothing.",
    "7/biased": "On average another number comes back; the chance to go up is x - floor(x).",
}

MISCONCEPTIONS = tuple(Misconception(*item) for item in _SENTENCES.items())
