"""The texts of a project become a `Project`: rendered, resolved, understood, in one graph; or all that is wrong.

Nothing is read here: texts, variables of the system and the analysis of SQL are passed in.
"""

from leapsql_core.compilation.compiler import Compiler
from leapsql_core.compilation.drafts import Analyst, ProjectTexts, SeedFile
from leapsql_core.compilation.models import columns_of

__all__ = ["Analyst", "Compiler", "ProjectTexts", "SeedFile", "columns_of"]
