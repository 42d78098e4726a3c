import type { DsmError } from "@dsm/protocol";
import { openDurableParts } from "./commit-path.ts";
import { assertReachable } from "./data-ports.ts";
import { claimGroupRoot } from "./group-root.ts";
import { PeerWatch } from "./peers/peer-watch.ts";
import { RootWatch } from "./root-watch.ts";
import { SpaceWatch } from "./space.ts";
import type { StorageOptions } from "./storage-options.ts";
import { Storage } from "./storage.ts";

/** Starts a storage; it is a member of its group when every tracker that lives has heard of it. */
export async function startStorage(options: StorageOptions): Promise<Storage> {
  assertReachable(options);
  await claimGroupRoot(options);
  // A later life has a greater one: trackers go by that.
  const incarnation = Bun.randomUUIDv7();
  await using cleanup = new AsyncDisposableStack();
  const durable = cleanup.use(await openDurableParts(options, incarnation));
  const space = cleanup.use(await SpaceWatch.open(options.root, options.log));
  const peers = cleanup.use(new PeerWatch({ ...options, incarnation }));
  await peers.assertTogether();
  const onGone = (why: DsmError) => storage.noteFault(why);
  const mount = cleanup.use(await RootWatch.open({ ...options, apart: () => peers.apart, onGone }));
  const storage: Storage = new Storage(options, incarnation, { durable, space, mount, peers });
  await storage.open();
  peers.start();
  cleanup.move();
  return storage;
}
