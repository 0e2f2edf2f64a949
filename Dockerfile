# A bundle as a server, on CPUs: docker build -t keyseg .
# docker run --read-only --tmpfs /tmp -p 127.0.0.1:8000:8000 -v "$PWD/bundle:/bundle:ro" keyseg --token SECRET-OF-16-LETTERS
FROM python:3.11.14-slim-bookworm

ENV PIP_NO_CACHE_DIR=1 PYTHONUNBUFFERED=1
WORKDIR /keyseg
COPY pyproject.toml README.md LICENSE ./
COPY locks locks
COPY src src
RUN python -m pip install --no-deps --require-hashes --extra-index-url https://download.pytorch.org/whl/cpu \
      -r locks/cpu.txt -r locks/build.txt -r locks/studio.txt \
  && python -m pip install --no-deps --no-build-isolation .

RUN useradd --uid 10001 --create-home keyseg
USER 10001
WORKDIR /home/keyseg
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
  CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/health', timeout=4)"]
ENTRYPOINT ["keyseg", "serve", "/bundle", "--host", "0.0.0.0", "--port", "8000"]
