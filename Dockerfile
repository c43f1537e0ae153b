# kdns' image: `docker build -t kdns:0.1.0 .`. docs/image.md says what is in it, how large it is, and why it is made so.
# The two scripts are all that the stages do; .ci/run has them done in a plain folder, with the same tests as any server.
ARG PYTHON=3.13

FROM python:${PYTHON}-slim AS build
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev libcap2-bin
COPY . /src
RUN python /src/image/build.py /src /opt/kdns
# Port 53 for who isn't root, where a manifest gives NET_BIND_SERVICE: image/launch.py says why it is +p.
RUN setcap cap_net_bind_service=+p /opt/kdns/bin/python

FROM python:${PYTHON}-slim AS root
COPY image/strip.py /tmp/strip.py
RUN python /tmp/strip.py /usr/local
RUN rm -rf /tmp/* /root/.cache /var/lib/apt /var/lib/dpkg /var/cache/* /var/log/* /usr/share/doc /usr/share/man
COPY --from=build /opt/kdns /opt/kdns
# The names that manifests call it by.
RUN ln -s /opt/kdns/bin/kdns /coredns
RUN ln -s /opt/kdns/bin/kdns /usr/local/bin/coredns
RUN ln -s /opt/kdns/bin/kdns /usr/local/bin/kdns

# One layer, in which what was taken out isn't.
FROM scratch
COPY --from=root / /
ENV PATH=/usr/local/bin:/usr/bin:/bin LANG=C.UTF-8
WORKDIR /
USER 65532:65532
EXPOSE 53/udp 53/tcp 1053/udp 1053/tcp 8080/tcp 8181/tcp 9153/tcp
ENTRYPOINT ["/coredns"]
