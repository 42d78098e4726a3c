import type { RpcServer } from "@dsm/rpc";
import { Member } from "./member.ts";

/** A member of the TCP plane; it is known by an address that outlives its restarts. */
export class EndpointMember extends Member<RpcServer> {
  #endpoint: string | undefined;

  constructor(name: string, start: (port: number) => RpcServer) {
    super(name, 0, (port) => {
      const server = start(port);
      this.#endpoint = server.endpoint;
      return Promise.resolve(server);
    });
  }

  /** `host:port`, also while it is down. @throws Error before its first start */
  get endpoint(): string {
    if (this.#endpoint === undefined) throw new Error(`${this.name} was never started`);
    return this.#endpoint;
  }
}
