"""Importing this module registers every handler and endpoint."""

from __future__ import annotations

import rocamadre.api.anthropic.batches
import rocamadre.api.anthropic.messages
import rocamadre.api.anthropic.models
import rocamadre.api.bedrock.batch_jobs
import rocamadre.api.bedrock.custom_models
import rocamadre.api.bedrock.customization_jobs
import rocamadre.api.bedrock.foundation_models
import rocamadre.api.bedrock.imported_models
import rocamadre.api.bedrock.inference_profiles
import rocamadre.api.bedrock.logging
import rocamadre.api.bedrock.model_copies
import rocamadre.api.bedrock.model_deployments
import rocamadre.api.bedrock.prompt_routers
import rocamadre.api.bedrock.provisioned_throughput
import rocamadre.api.bedrock.tags
import rocamadre.api.bedrock_agent.data_sources
import rocamadre.api.bedrock_agent.documents
import rocamadre.api.bedrock_agent.ingestion_jobs
import rocamadre.api.bedrock_agent.knowledge_bases
import rocamadre.api.bedrock_agent.tags
import rocamadre.api.bedrock_agent_runtime.rerank
import rocamadre.api.bedrock_agent_runtime.retrieve
import rocamadre.api.bedrock_runtime.async_invoke
import rocamadre.api.bedrock_runtime.converse
import rocamadre.api.bedrock_runtime.converse_stream
import rocamadre.api.bedrock_runtime.count_tokens
import rocamadre.api.bedrock_runtime.invoke_model
import rocamadre.api.neighbours.iam.service
import rocamadre.api.neighbours.lambdas.service
import rocamadre.api.neighbours.logs.service
import rocamadre.api.neighbours.s3.service
import rocamadre.api.neighbours.sts.service
import rocamadre.api.openai.absent
import rocamadre.api.openai.batches
import rocamadre.api.openai.chat
import rocamadre.api.openai.completions
import rocamadre.api.openai.embeddings
import rocamadre.api.openai.files
import rocamadre.api.openai.fine_tuning
import rocamadre.api.openai.models
import rocamadre.api.openai.responses
import rocamadre.api.platform.aliases
import rocamadre.api.platform.coverage
import rocamadre.api.platform.datasets
import rocamadre.api.platform.endpoints
import rocamadre.api.platform.jobs
import rocamadre.api.platform.knowledge
import rocamadre.api.platform.models
import rocamadre.api.platform.prices
import rocamadre.api.platform.pulls
import rocamadre.api.platform.tokenize
import rocamadre.api.platform.traces
import rocamadre.api.platform.training  # noqa: F401
