"""Socket types of this pack. One Python class travels on each."""

from comfy_api.latest import io

Analyzer = io.Custom("INSTANTID_ANALYZER")
"""instantid_core.face_models.FaceAnalyzer"""
Faces = io.Custom("INSTANTID_FACES")
"""instantid_core.types.Faces"""
Identity = io.Custom("INSTANTID_IDENTITY")
"""instantid_core.types.IdentityEmbedding"""
Tokens = io.Custom("INSTANTID_TOKENS")
"""instantid_core.types.IdentityTokens"""
Adapter = io.Custom("INSTANTID_ADAPTER")
"""nodes.host.models.LoadedAdapter"""
