# Netweather as an image:  docker build -t netweather .
# As the agent of this host: deploy/compose.yaml. By hand:
# docker run -d --name netweather --privileged --pid=host -v /var/run/docker.sock:/var/run/docker.sock netweather agent
# docker exec netweather netweather set docker:shop --delay 100ms    (a condition ends when the container that set it does)
# Without a registry, from the files of this machine: make image

FROM debian:12-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends python3 python3-venv
WORKDIR /src
COPY . .
RUN python3 -m venv /usr/lib/netweather \
 && /usr/lib/netweather/bin/pip install --no-cache-dir --constraint requirements.lock '.[agent,cri,kubernetes,scope]'

FROM debian:12-slim
RUN apt-get update && apt-get install -y --no-install-recommends libbpf1 python3 && rm -rf /var/lib/apt/lists/*
COPY --from=build /usr/lib/netweather /usr/lib/netweather
RUN ln -s ../lib/netweather/bin/netweather /usr/bin/netweather
ENTRYPOINT ["netweather"]
