# loramake with its training stack, for CPUs or, with another base, for CUDA:
#   docker build -t loramake .
#   docker build -t loramake --build-arg BASE=nvidia/cuda:12.8.1-runtime-ubuntu24.04 .
# In the folder of config.yaml and tables (--gpus all with CUDA):
#   docker run --rm -it --user "$(id -u):$(id -g)" -e HOME=/tmp -v "$PWD:/work" loramake run --csv my.csv
# docs/clusters.md says how Snakemake runs its steps in this image with apptainer.
ARG BASE=python:3.11-slim-bookworm
FROM ${BASE}

# Versions of Debian's and Ubuntu's packages differ by base, and old ones leave their archives.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends bubblewrap git \
    && { command -v python3 || apt-get install -y --no-install-recommends python3 python3-venv; } \
    && rm -rf /var/lib/apt/lists/*

COPY pyproject.toml README.md LICENSE Snakefile config.yaml /opt/source/
COPY loramake /opt/source/loramake
COPY models /opt/source/models
COPY profiles /opt/source/profiles
COPY rules /opt/source/rules
COPY schemas /opt/source/schemas
COPY scripts /opt/source/scripts
COPY templates /opt/source/templates
RUN python3 -m venv /opt/loramake \
    && /opt/loramake/bin/pip install --no-cache-dir '/opt/source[train,slurm,formats]' \
    && rm -rf /opt/source

ENV PATH=/opt/loramake/bin:$PATH
WORKDIR /work
ENTRYPOINT ["loramake"]
CMD ["--help"]
