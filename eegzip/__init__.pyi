from eegzip import models as models
from eegzip._version import __version__ as __version__
from eegzip.arrays import compress_array as compress_array
from eegzip.compression import compress as compress
from eegzip.decompression import decompress as decompress
from eegzip.evaluation.evaluate import evaluate as evaluate
from eegzip.evaluation.page.content import report as report
from eegzip.evaluation.report import EvaluationReport as EvaluationReport
from eegzip.formats.eegz.token_stream import TokenStream as TokenStream
from eegzip.formats.eegz.token_stream import concatenate as concatenate
from eegzip.formats.errors import BadInputError as BadInputError
from eegzip.formats.errors import ContainerError as ContainerError
from eegzip.formats.errors import EdfError as EdfError
from eegzip.formats.errors import EegzipError as EegzipError
from eegzip.formats.errors import ModelError as ModelError
from eegzip.formats.errors import OutputError as OutputError
from eegzip.formats.errors import OutputExistsError as OutputExistsError
from eegzip.formats.errors import UsageError as UsageError
from eegzip.recording import Recording as Recording
from eegzip.reports import CompressionReport as CompressionReport
from eegzip.reports import DecompressionReport as DecompressionReport
from eegzip.reports import Verification as Verification
from eegzip.training.api import TrainingReport as TrainingReport
from eegzip.training.api import settings_for as settings_for
from eegzip.training.api import train as train
from eegzip.verification import verify as verify

open = Recording  # noqa: A001 - reads as intended: eegzip.open(path)
