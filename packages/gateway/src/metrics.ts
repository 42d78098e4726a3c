import type { ReadObserver } from "@dsm/client";
import { DsmError } from "@dsm/protocol";
import { Counter, Gauge, Histogram, Registry } from "prom-client";

/**
 * THE table of the gateway's metrics. One set a gateway, since several may live in one process;
 * what Prometheus calls the instance tells them apart. Units stand in the names, as Prometheus
 * has them: bytes and seconds.
 */
export class GatewayMetrics implements ReadObserver {
  readonly #registry = new Registry();
  readonly #in = { registers: [this.#registry] };

  readonly requests = new Counter({
    ...this.#in,
    name: "dsm_gateway_requests_total",
    help: "Requests by method and status of the answer.",
    labelNames: ["method", "status"],
  });
  readonly seconds = new Histogram({
    ...this.#in,
    name: "dsm_gateway_answer_seconds",
    help: "Time from a request to the head of its answer.",
    labelNames: ["method"],
    buckets: [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10],
  });
  readonly deliveries = new Counter({
    ...this.#in,
    name: "dsm_gateway_deliveries_total",
    help: "Answers with bytes of media by where those came from: memory, local, proxy, redirect.",
    labelNames: ["from"],
  });
  readonly located = new Counter({
    ...this.#in,
    name: "dsm_gateway_located_total",
    help: "Files located, by who knew: a tracker, this gateway's memory, or that in an outage.",
    labelNames: ["from"],
  });
  readonly hot = new Counter({
    ...this.#in,
    name: "dsm_gateway_hot_total",
    help: "Reads of small files by whether their bytes were in memory: hit or miss.",
    labelNames: ["result"],
  });
  readonly hotBytes = new Gauge({
    ...this.#in,
    name: "dsm_gateway_hot_bytes",
    help: "Bytes of small files that are kept in memory.",
  });
  readonly abandoned = new Counter({
    ...this.#in,
    name: "dsm_gateway_abandoned_total",
    help: "Proxied reads whose client left or sought away before their end.",
  });
  readonly abandonedBytes = new Counter({
    ...this.#in,
    name: "dsm_gateway_abandoned_bytes_total",
    help: "Bytes that were read from a storage for such a read, and in vain.",
  });
  readonly hedges = new Counter({
    ...this.#in,
    name: "dsm_gateway_hedges_total",
    help: "Times that a second storage was asked because the first was slow to answer.",
  });
  readonly failovers = new Counter({
    ...this.#in,
    name: "dsm_gateway_failovers_total",
    help: "Times that a read went on from another storage because one failed.",
  });
  readonly process = processGauges(this.#registry);

  /** Counts and times one request. */
  async measure(request: Request, answer: () => Response | Promise<Response>): Promise<Response> {
    const { method } = request;
    const startedAtMs = performance.now();
    const count = (status: number) => {
      this.requests.inc({ method, status });
      this.seconds.observe({ method }, (performance.now() - startedAtMs) / 1000);
    };
    try {
      const response = await answer();
      count(response.status);
      return response;
    } catch (error) {
      count(DsmError.from(error, "a request").http);
      throw error;
    }
  }

  onAbandoned(unreadBytes: number): void {
    this.abandoned.inc();
    this.abandonedBytes.inc(unreadBytes);
  }

  onHedge(): void {
    this.hedges.inc();
  }

  onFailover(): void {
    this.failovers.inc();
  }

  /** In the text format of Prometheus. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }
}

/** The names that every exporter of Prometheus uses for these. */
function processGauges(registry: Registry) {
  const memory = new Gauge({
    registers: [registry],
    name: "process_resident_memory_bytes",
    help: "Resident memory of the process.",
    collect() {
      this.set(process.memoryUsage.rss());
    },
  });
  const cpu = new Gauge({
    registers: [registry],
    name: "process_cpu_seconds_total",
    help: "Time on processors, user and system.",
    collect() {
      const { user, system } = process.cpuUsage();
      this.set((user + system) / 1e6);
    },
  });
  return { memory, cpu };
}
