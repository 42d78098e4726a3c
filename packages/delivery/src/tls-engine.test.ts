import { describe, expect, test } from "bun:test";
import { connect as connectTcp } from "node:net";
import { connect, type TLSSocket } from "node:tls";
import { makeCertificate, tempDir, until } from "@dsm/testkit";
import { type HttpServerOptions, serveHttp } from "./http-server.ts";
import { curl } from "./testing/curl.ts";
import { changingPair, fixedPair } from "./testing/tls-pairs.ts";
import { RawClient } from "./testing/raw-client.ts";

const serve = (options: Partial<HttpServerOptions> = {}) =>
  serveHttp({
    engine: "stream",
    tls: fixedPair(),
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request) => new Response(request.url),
    ...options,
  });

/** A finished handshake. */
async function handshake(server: { port: number }, ALPNProtocols: string[]): Promise<TLSSocket> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const address = { host: "127.0.0.1", port: server.port, rejectUnauthorized: false };
  const socket = connect({ ...address, ALPNProtocols }, resolve);
  socket.once("error", reject);
  await promise;
  return socket;
}

async function serialNumberOf(server: { port: number }): Promise<string> {
  const socket = await handshake(server, ["h2"]);
  const { serialNumber } = socket.getPeerCertificate();
  socket.destroy();
  return serialNumber;
}

describe.each([false, true])("TLS (reusePort %p)", (reusePort) => {
  test("speaks what the client prefers, and HTTP/1.1 to who names nothing", async () => {
    await using server = await serve({ reusePort });
    const agreed = async (...protocols: string[]) => {
      const socket = await handshake(server, protocols);
      socket.destroy();
      return socket.alpnProtocol;
    };
    expect(await agreed("h2", "http/1.1")).toBe("h2");
    expect(await agreed("http/1.1")).toBe("http/1.1");
    await expect(agreed("spdy/3")).rejects.toThrow(/ALPN|APPLICATION_PROTOCOL/);
    const unnamed = await curl("--no-alpn", `${server.url}/x`);
    expect([unnamed.status, unnamed.body.toString()]).toEqual([200, `${server.url}/x`]);
  });

  test("is trusted by who knows its certificate, and by nobody else", async () => {
    await using dir = await tempDir();
    const certificate = makeCertificate();
    const authority = `${dir.path}/cert.pem`;
    await Bun.write(authority, certificate.cert);
    await using server = await serve({ tls: fixedPair(certificate), reusePort });
    const strict = ["--no-insecure", "--http2"];
    expect((await curl(...strict, "--cacert", authority, server.url)).exitCode).toBe(0);
    expect((await curl(...strict, server.url)).exitCode).toBe(60);
  });

  test("knows nothing older than TLS 1.2", async () => {
    await using server = await serve({ reusePort });
    const oldest = ["--ciphers", "DEFAULT:@SECLEVEL=0", "--tls-max"];
    expect((await curl(...oldest, "1.1", "--tlsv1.0", server.url)).exitCode).toBe(35);
    expect((await curl("--tls-max", "1.2", server.url)).exitCode).toBe(0);
  });

  test("a client that speaks plain HTTP is cut, and the server lives", async () => {
    await using server = await serve({ reusePort });
    await using plain = await RawClient.connect({ url: `http://127.0.0.1:${server.port}` });
    plain.request("GET / HTTP/1.1");
    await plain.closed();
    expect((await curl(server.url)).status).toBe(200);
  });

  test("a client that never ends its handshake goes with the drain", async () => {
    await using server = await serve({ reusePort });
    await using silent = await RawClient.connect({ url: `http://127.0.0.1:${server.port}` });
    await using half = await RawClient.connect({ url: `http://127.0.0.1:${server.port}` });
    half.socket.write(Buffer.from([0x16, 3, 1]));
    // Connections are accepted in their order, so those two are in.
    expect((await curl(server.url)).status).toBe(200);
    await server.drain(15_000);
    await Promise.all([silent.closed(), half.closed()]);
  });

  test("a new certificate is for new handshakes, and old connections go on", async () => {
    const [old, renewed] = [makeCertificate(), makeCertificate()];
    const pair = changingPair(old);
    await using server = await serve({ tls: pair, reusePort });
    await using client = await RawClient.connect(server);
    client.request("GET /one HTTP/1.1");
    await until("the first answer is there", () => client.head.includes("/one"));
    expect(await serialNumberOf(server)).toBe(old.serialNumber);
    pair.change(renewed);
    expect(await serialNumberOf(server)).toBe(renewed.serialNumber);
    // What was agreed of TLS besides the certificate holds as before.
    expect((await curl("--tls-max", "1.2", "--http2", server.url)).status).toBe(200);
    const oldest = ["--ciphers", "DEFAULT:@SECLEVEL=0", "--tls-max", "1.1", "--tlsv1.0"];
    expect((await curl(...oldest, server.url)).exitCode).toBe(35);
    client.request("GET /two HTTP/1.1");
    await until("the old connection goes on", () => client.head.includes("/two"));
    expect((client.socket as TLSSocket).getPeerCertificate().serialNumber).toBe(old.serialNumber);
  });
});

test("a server that has ended does not follow its certificate any more", async () => {
  const pair = changingPair(makeCertificate());
  const server = await serve({ tls: pair });
  expect(pair.listeners).toBe(1);
  await server.drain(1_000);
  expect(pair.listeners).toBe(0);
});

test("connections that do not speak are cut after the time for a handshake", async () => {
  await using server = await serve({ idleTimeoutS: 1 });
  const { promise, resolve } = Promise.withResolvers<void>();
  const socket = connectTcp({ host: "127.0.0.1", port: server.port });
  socket.on("error", () => {});
  socket.once("close", () => resolve());
  await promise;
});
