# Maestro as an image: the hashed wheels and the source, no build tools, no root.
# Build: docker build -t maestro .    Index: docker compose run --rm maestro index /repositories/NAME
ARG PYTHON=3.13.1-slim-bookworm

FROM python:${PYTHON} AS wheels
COPY requirements.txt /opt/requirements.txt
RUN python -m venv /opt/venv \
    && /opt/venv/bin/python -m pip install --no-cache-dir --disable-pip-version-check \
        --require-hashes --no-deps --only-binary :all: -r /opt/requirements.txt \
    && /opt/venv/bin/python -m compileall -q /opt/venv/lib

FROM python:${PYTHON}
RUN groupadd --system --gid 10001 maestro \
    && useradd --system --uid 10001 --gid maestro --home-dir /var/lib/maestro --shell /usr/sbin/nologin maestro \
    && install -d -o maestro -g maestro -m 0700 /var/lib/maestro
COPY --from=wheels /opt/venv /opt/venv
COPY api /opt/maestro/api
COPY graph /opt/maestro/graph
COPY models /opt/maestro/models
COPY cypher /opt/maestro/cypher
COPY clients/pytest-maestro/src/maestro_selection /opt/maestro/maestro_selection
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/opt/maestro \
    PYTHONUNBUFFERED=1 \
    MAESTRO_DATA=/var/lib/maestro
RUN python -m compileall -q /opt/maestro \
    && python -m graph.class_archive \
    && python -m graph.blank
USER 10001:10001
WORKDIR /var/lib/maestro
VOLUME /var/lib/maestro
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=5 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:7600/health', timeout=4)"]
ENTRYPOINT ["python", "-m", "api"]
CMD ["serve"]
