/** Where the bytes of one blob come from. */
export interface BodySource {
  /** Exactly the bytes from `start` to before `endExclusive`, or an error. */
  open(start: number, endExclusive: number): Promise<Bun.BodyInit> | Bun.BodyInit;
}
