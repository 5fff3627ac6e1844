"""People rank responses blind, and how well they agree with each other and with gold."""

from wfine_utils.annotation.agreement import agreement_with_gold, annotator_agreement
from wfine_utils.annotation.form import start
from wfine_utils.annotation.session import load_folder
