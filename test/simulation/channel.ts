import type { Life } from "./host.ts";
import type { Lane, Listener, Network } from "./network.ts";

/** What the side that connects is told. */
export interface ChannelOwner {
  opened(channel: Channel): void;
  /** The host is there, and nobody listens. */
  refused(): void;
  /** What was said and not answered may have been heard, or not. */
  lost(): void;
}

/**
 * One TCP connection. What is said in one direction arrives in order, once, or not at all; what
 * was said last may still arrive when whoever said it has died or given up. Between connections
 * there is no order.
 */
export class Channel {
  readonly client: Life;
  readonly listener: Listener;
  readonly #network: Network;
  readonly #owner: ChannelOwner;
  readonly #laneThere: Lane = { lastMs: 0 };
  readonly #laneBack: Lane = { lastMs: 0 };
  #isBroken = false;

  private constructor(network: Network, client: Life, listener: Listener, owner: ChannelOwner) {
    this.#network = network;
    this.client = client;
    this.listener = listener;
    this.#owner = owner;
  }

  /** Nobody is told anything when the host there is off or out of reach. */
  static open(network: Network, client: Life, endpoint: string, owner: ChannelOwner): void {
    const there = network.hostOf(endpoint);
    network.bring(client.host, there, () => {
      const listener = network.listenerAt(endpoint);
      const channel = listener && new Channel(network, client, listener, owner);
      if (channel !== undefined) network.connections.add(channel);
      network.bring(there, client.host, () => {
        if (client.isOver) return;
        if (channel === undefined) owner.refused();
        else if (!channel.#isBroken) owner.opened(channel);
      });
    });
  }

  /** Says something to the listener. */
  there(arrive: () => void): void {
    const { life } = this.listener;
    const arrived = () => {
      if (this.#isBroken) return;
      if (life.isOver) this.reset();
      else arrive();
    };
    this.#network.bring(this.client.host, life.host, arrived, this.#laneThere);
  }

  /** Says something to the side that connected. */
  back(arrive: () => void): void {
    const arrived = () => {
      if (!this.#isBroken && !this.client.isOver) arrive();
    };
    this.#network.bring(this.listener.life.host, this.client.host, arrived, this.#laneBack);
  }

  reset(): void {
    this.back(() => this.#lose());
  }

  break(): void {
    this.#network.noteTrouble(this.client.host, this.listener.life.host);
    this.#isBroken = true;
    this.forget();
    this.client.clock.after(0, () => this.#owner.lost());
  }

  /** The side that connected needs it no more; what it said before still arrives. */
  forget(): void {
    this.#network.connections.delete(this);
  }

  #lose(): void {
    this.#isBroken = true;
    this.forget();
    this.#owner.lost();
  }
}
