import { openDurableParts } from "./commit-path.ts";
import { assertReachable } from "./data-ports.ts";
import { claimGroupRoot } from "./group-root.ts";
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
  const mount = cleanup.use(
    await RootWatch.open({ ...options, onGone: (why) => storage.noteFault(why) }),
  );
  const storage: Storage = new Storage(options, incarnation, { durable, space, mount });
  await storage.open();
  cleanup.move();
  return storage;
}
