/** @param damage as protocol/damage.ts writes it */
export function damageText(damage: string): string {
  return damage === "*" ? "all of it" : `pieces ${damage}`;
}
