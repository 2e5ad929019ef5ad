"""What to use instead of an operation that Rocamadre does not have yet."""

from __future__ import annotations

_SUBSTITUTES = (
    ("AutomatedReasoning", "check answers against their sources with contextualGroundingPolicyConfig of a guardrail"),
    ("InvokeModelWithBidirectionalStream", "use ConverseStream, one turn at a time"),
    ("AsyncInvoke", "use InvokeModel, which answers at once"),
    ("InvocationJob", "call InvokeModel or Converse for each record"),
    ("LoggingConfiguration", "read the server's own log with `roca logs`, which holds no prompts"),
    ("GenerateQuery", "ask for the query with Converse"),
    ("OptimizePrompt", "ask for a better prompt with Converse"),
    ("PromptOptimization", "compare prompts in your own code with Converse"),
    ("Prompt", "keep the prompt in your own code and send it with Converse"),
    (
        "Retrieve",
        "embed texts with InvokeModel, search the vectors in your own code and send what you find to Converse",
    ),
    ("Retrieval", "embed texts with InvokeModel and search the vectors in your own code"),
    ("KnowledgeBase", "embed texts with InvokeModel and search the vectors in your own code"),
    ("DataSource", "embed texts with InvokeModel and search the vectors in your own code"),
    ("Ingest", "embed texts with InvokeModel and search the vectors in your own code"),
    ("Document", "embed texts with InvokeModel and search the vectors in your own code"),
    ("Flow", "chain Converse calls in your own code"),
    ("Agent", "run the loop in your own code around Converse"),
    ("Session", "keep the conversation in your own code and send it with each Converse call"),
    ("Invocation", "keep the conversation in your own code and send it with each Converse call"),
    ("EvaluationJob", "score answers of Converse in your own code"),
    ("ImportJob", "use `roca models pull`"),
    ("ImportedModel", "use `roca models pull` and ListFoundationModels"),
    ("CopyJob", "use `roca models pull` on the other machine"),
    ("CustomModel", "train elsewhere and bring the model with `roca models pull`"),
    ("CustomizationJob", "train elsewhere and bring the model with `roca models pull`"),
    ("ProvisionedModelThroughput", "set engines.replicas and engines.slots"),
    ("Marketplace", "use `roca models pull`"),
    ("Agreement", "no agreement is needed: every model in ListFoundationModels may be used"),
    ("UseCase", "no form is needed: every model in ListFoundationModels may be used"),
)


def substitute(operation: str) -> str:
    """A sentence's end that says what to use instead of an operation.

    >>> substitute("CreateFlow")
    'chain Converse calls in your own code'
    """
    return next((advice for part, advice in _SUBSTITUTES if part in operation), "there is no substitute here yet")
