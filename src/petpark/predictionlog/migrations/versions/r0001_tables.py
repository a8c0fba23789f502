"""The first tables: predictions, feedback, versions and photos."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    key = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "versions",
        sa.Column("version", sa.Text, primary_key=True),
        sa.Column("model", sa.Text, primary_key=True),
        sa.Column("labels", sa.Text, nullable=False),
        sa.Column("threshold", sa.REAL, nullable=False),
        sa.Column("commit_id", sa.Text, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
    )
    op.create_table(
        "predictions",
        sa.Column("id", key, primary_key=True),
        sa.Column("time", moment, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("image", sa.Text, nullable=False),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("confidence", sa.REAL, nullable=False),
        sa.Column("unsure", sa.Boolean, nullable=False),
        sa.Column("probabilities", sa.LargeBinary, nullable=False),
        sa.Column("embedding", sa.LargeBinary, nullable=False),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("height", sa.Integer, nullable=False),
        sa.Column("format", sa.Text, nullable=False),
        sa.Column("bytes", sa.Integer, nullable=False),
        sa.Column("brightness", sa.REAL, nullable=False),
        sa.Column("contrast", sa.REAL, nullable=False),
        sa.Column("saturation", sa.REAL, nullable=False),
        sa.Column("latency_ms", sa.REAL, nullable=False),
    )
    op.create_index("predictions_time", "predictions", ["time"])
    op.create_table(
        "feedback",
        sa.Column("id", key, primary_key=True),
        sa.Column("time", moment, nullable=False),
        sa.Column("prediction_id", key, nullable=False),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
    )
    op.create_index("feedback_prediction_id", "feedback", ["prediction_id"])
    op.create_table(
        "photos",
        sa.Column("prediction_id", key, primary_key=True),
        sa.Column("time", moment, nullable=False),
        sa.Column("image", sa.LargeBinary, nullable=False),
    )
