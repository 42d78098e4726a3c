import type { DsmError } from "@dsm/protocol";

/** Told of what reads through storages cost, and of what went wrong without a reader noticing. */
export interface ReadObserver {
  /**
   * A reader left before its end.
   * @param unreadBytes what had come from storages by then and was not handed to the reader
   */
  onAbandoned?(unreadBytes: number): void;
  /** This storage is asked too, because another one is slow to answer. */
  onHedge?(storageId: string): void;
  /** This storage failed a read, or part of one, and the others are asked instead. */
  onFailover?(storageId: string, error: DsmError): void;
}
