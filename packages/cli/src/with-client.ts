import { DsmClient } from "@dsm/client";
import { type ClusterArgs, findCluster } from "./find-cluster.ts";

/** Finds the cluster, and closes the client whatever happens. */
export async function withClient<T>(
  args: ClusterArgs,
  use: (client: DsmClient) => Promise<T>,
): Promise<T> {
  await using client = new DsmClient(await findCluster(args));
  return await use(client);
}
