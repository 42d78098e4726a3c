import { describe, expect, test } from "bun:test";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { startProcess } from "../process.ts";
import { tempDir } from "../temp-dir.ts";
import { until } from "../until.ts";
import { HostBox } from "./host-box.ts";
import { hostsMissing } from "./missing.ts";

const ping = (to: string) => ["ping", "-c", "1", "-W", "0.3", to];

describe.skipIf(hostsMissing !== undefined)("hosts in a box", () => {
  test("reach each other by name, and the machine sees nothing of them", async () => {
    const before = await readFile("/proc/net/dev", "utf8");
    await using box = await HostBox.open({ hosts: 3 });
    const [h1] = box.hosts;
    for (const host of box.hosts) await h1?.run(ping(host.name));
    expect(await h1?.run(["hostname"])).toBe("h1\n");
    const cards = (text: string) => text.split("\n").map((line) => line.split(":")[0]);
    expect(cards(await readFile("/proc/net/dev", "utf8"))).toEqual(cards(before));
  });

  test("are cut off from each other, and from no other", async () => {
    await using box = await HostBox.open({ hosts: 3 });
    const h1 = box.host("h1");
    await h1.run(ping("h2"));
    await box.network.cut(["h1"], ["h2"]);
    await expect(h1.run(ping("h2"))).rejects.toThrow("100% packet loss");
    await expect(box.host("h2").run(ping("h1"))).rejects.toThrow("100% packet loss");
    await h1.run(ping("h3"));
    await box.host("h3").run(ping("h2"));
    await box.network.heal();
    await h1.run(ping("h2"));
  });

  test("are cut in one direction", async () => {
    await using box = await HostBox.open({ hosts: 2 });
    await box.network.cutOneWay(["h1"], ["h2"]);
    await using listener = await box.host("h1").start({
      cmd: [
        process.execPath,
        "-e",
        "const s = await Bun.udpSocket({ hostname: '10.9.0.1', port: 7, socket: { data: (_, d) => console.log(String(d)) } }); console.log('ready')",
      ],
      ready: /ready/,
    });
    // Its answer to who has h1's address would be lost too, so it is told.
    await box
      .host("h2")
      .run(["ip", "neigh", "replace", "10.9.0.1", "lladdr", "02:00:0a:09:00:01", "dev", "eth0"]);
    await box
      .host("h2")
      .run([
        process.execPath,
        "-e",
        "const s = await Bun.udpSocket({}); s.send('heard', 7, '10.9.0.1'); s.close()",
      ]);
    await until("h2 is heard", () => listener.stdout().includes("heard"));
    await expect(box.host("h1").run(ping("h2"))).rejects.toThrow("100% packet loss");
  });

  test("are far from each other, and near to others", async () => {
    await using box = await HostBox.open({ hosts: 3 });
    const h1 = box.host("h1");
    const roundTripMs = async (to: string) => {
      const said = await h1.run(["ping", "-c", "3", "-i", "0.2", "-W", "2", to]);
      return Number(/= [\d.]+\/([\d.]+)\//.exec(said)?.[1]);
    };
    await box.network.slow(["h1"], ["h2"], 40);
    expect(await roundTripMs("h2")).toBeWithin(80, 160);
    expect(await roundTripMs("h3")).toBeLessThan(40);
    // A cut and a boot go together with it, and bytes come over as they are.
    await box.network.cut(["h1"], ["h2"]);
    await expect(h1.run(ping("h2"))).rejects.toThrow("100% packet loss");
    await box.host("h2").kill();
    await box.host("h2").boot();
    await box.network.heal();
    await box.network.slow(["h1"], ["h2"], 40);
    expect(await roundTripMs("h2")).toBeWithin(80, 160);
    await using server = await box.host("h2").start({
      cmd: [
        process.execPath,
        "-e",
        "Bun.serve({ hostname: '0.0.0.0', port: 80, fetch: () => new Response(new Uint8Array(4 << 20).fill(7)) }); console.log('ready')",
      ],
      ready: /ready/,
    });
    const counted = await h1.run(["sh", "-c", "wget -qO- http://h2/ | tr -d '\\007' | wc -c"]);
    expect(counted.trim()).toBe("0");
    const whole = await h1.run(["sh", "-c", "wget -qO- http://h2/ | wc -c"]);
    expect(Number(whole)).toBe(4 << 20);
    expect(server.isRunning()).toBe(true);
    await box.network.heal(["h2"], ["h1"]);
    expect(await roundTripMs("h2")).toBeLessThan(40);
  });

  test("die without a word, and come back with their disk", async () => {
    await using box = await HostBox.open({ hosts: 2 });
    const h2 = box.host("h2");
    await using listener = await h2.start({
      cmd: [
        process.execPath,
        "-e",
        "Bun.listen({ hostname: '10.9.0.2', port: 7, socket: { data() {} } }); console.log('ready')",
      ],
      ready: /ready/,
    });
    await using asker = await box.host("h1").start({
      cmd: [
        process.execPath,
        "-e",
        "const say = (word) => () => console.log(word); await Bun.connect({ hostname: '10.9.0.2', port: 7, socket: { open: say('open'), close: say('closed'), error: say('error'), data() {} } })",
      ],
      ready: /open/,
    });
    await h2.bind("/mnt");
    await h2.run(["sh", "-c", "echo kept >/mnt/file"]);
    await h2.kill();
    expect(await listener.exited).not.toBe(0);
    expect(h2.isOn).toBe(false);
    await expect(box.host("h1").run(ping("h2"))).rejects.toThrow();
    expect(asker.stdout()).toBe("open\n");
    await h2.boot();
    await h2.bind("/mnt");
    expect(await h2.run(["cat", "/mnt/file"])).toBe("kept\n");
    await box.host("h1").run(ping("h2"));
  });

  test("a process on one can be stopped and go on", async () => {
    await using box = await HostBox.open({ hosts: 1 });
    await using sleeper = await box.host("h1").start({ cmd: ["sleep", "1000"] });
    const state = async () =>
      /State:\t(.)/.exec(await readFile(`/proc/${sleeper.hostPid}/status`, "utf8"))?.[1];
    await until("it runs sleep", async () =>
      (await readFile(`/proc/${sleeper.hostPid}/cmdline`, "utf8")).startsWith("sleep"),
    );
    process.kill(sleeper.hostPid, "SIGSTOP");
    await until("it is stopped", async () => (await state()) === "T");
    process.kill(sleeper.hostPid, "SIGCONT");
    await until("it goes on", async () => (await state()) === "S");
  });

  test("nothing is left of them when the test is killed", async () => {
    await using dir = await tempDir();
    const mark = join(dir.path, "mark");
    await mkdir(mark);
    const script = join(import.meta.dir, "testing", "killed-test.ts");
    await using killed = await startProcess({
      cmd: [process.execPath, script, mark],
      ready: /ready/,
    });
    const running = async () => {
      const found = Bun.spawn(["pgrep", "-f", mark], { stdout: "pipe" });
      return (await new Response(found.stdout).text()).trim().split("\n").filter(Boolean);
    };
    expect((await running()).length).toBeGreaterThan(1);
    await killed.stop("SIGKILL");
    await until("its processes are gone", async () => (await running()).length === 0);
    expect(await readFile("/proc/mounts", "utf8")).not.toContain(mark);
  });
});
