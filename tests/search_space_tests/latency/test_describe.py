"""A description says how a device was measured, what its model is and how far it is off."""

from search_space.latency.calibration.devices import device
from search_space.latency.describe import describe


def test_the_description_shows_protocol_rows_and_errors() -> None:
    phone = device("snapdragon-865")
    text = "\n".join(describe(phone))
    for fact in ("Snapdragon 865", "TNN", "Table 1", "TopFormer-B measured 110 ms", f"mean {phone.left_out_mean:.1%}"):
        assert fact in text
