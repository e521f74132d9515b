# A run behind HTTP:  docker build -t crosstask . && docker run -p 8000:8000 -v "$PWD/runs/mine:/run_folder:ro" crosstask
FROM python:3.12-slim

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1
WORKDIR /app

# PyTorch for processors: the wheels of the package index bring gigabytes for graphics cards.
COPY constraints.txt pyproject.toml README.md LICENSE ./
RUN grep -E '^torch(vision)?==' constraints.txt > torch.txt \
    && pip install --index-url https://download.pytorch.org/whl/cpu -r torch.txt
COPY crosstask crosstask
RUN grep -vE '^(nvidia|cuda|triton)' constraints.txt > cpu.txt && pip install -c cpu.txt '.[serve]'

RUN useradd --create-home --uid 10001 crosstask
USER crosstask
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/health', timeout=4)"]

# In a container 0.0.0.0 is the container; who may reach it is said by docker run -p. Mount the run at /run_folder.
CMD ["crosstask", "serve", "/run_folder", "--host", "0.0.0.0", "--port", "8000", "--device", "cpu"]
