import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { tempDir } from "../temp-dir.ts";
import { Host } from "./host.ts";
import { Switch } from "./switch.ts";

interface BoxOptions {
  /** How many hosts, named h1, h2, …; or their names. */
  readonly hosts: number | readonly string[];
}

/** What comes after the last host's address is free for addresses that move. */
const subnet = "10.9.0";
const hostsMax = 99;

/** Hosts on one switch, all of them on this machine and none of them seen by it. */
export class HostBox implements AsyncDisposable {
  readonly hosts: readonly Host[];
  readonly network: Switch;
  readonly #stack: AsyncDisposableStack;

  private constructor(stack: AsyncDisposableStack, hosts: readonly Host[], network: Switch) {
    this.#stack = stack;
    this.hosts = hosts;
    this.network = network;
  }

  static async open({ hosts: wanted }: BoxOptions): Promise<HostBox> {
    await using stack = new AsyncDisposableStack();
    const names =
      typeof wanted === "number" ? Array.from({ length: wanted }, (_, i) => `h${i + 1}`) : wanted;
    if (names.length > hostsMax) throw new RangeError(`a box has ${hostsMax} hosts at most`);
    const dir = stack.use(await tempDir());
    const between = stack.use(await Switch.open());
    const addressOf = (name: string) => `${subnet}.${names.indexOf(name) + 1}`;
    const known = names.map((name) => `${addressOf(name)} ${name}\n`);
    const made = names.map((name) => {
      const address = addressOf(name);
      return new Host({
        name,
        address,
        dir: join(dir.path, name),
        hosts: `127.0.0.1 localhost\n${known.join("")}`,
        plugIn: (pid) => between.plugIn(name, pid, address),
        unplug: () => between.unplug(name),
      });
    });
    for (const host of made) {
      stack.use(host);
      await mkdir(host.dir);
      await host.boot();
    }
    return new HostBox(stack.move(), made, between);
  }

  /** @throws RangeError when there is no such host */
  host(name: string): Host {
    const found = this.hosts.find((host) => host.name === name);
    if (found === undefined) throw new RangeError(`there is no host ${name}`);
    return found;
  }

  /** An address of the network that no host has. @param n from 1 */
  static virtualAddress(n: number): string {
    return `${subnet}.${hostsMax + 1 + n}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}
