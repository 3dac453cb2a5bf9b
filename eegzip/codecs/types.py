"""Arrays that pass between the parts of a codec."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    pass


FloatArray = npt.NDArray[np.float32]


CodeArray = npt.NDArray[np.uint16]
