/** What is checked, in this order. */
export const CHECKS = [
  'hashes',
  'gateway signatures',
  'worker signature',
  'epoch',
  'input',
  'result',
  'price',
  'payment',
  'function',
  'anchored',
] as const
export type CheckName = (typeof CHECKS)[number]

export interface Check {
  name: CheckName
  /** `pending`: cannot be said yet (not anchored), or not with what is at hand. */
  ok: boolean | 'pending'
  /** One sentence for people. */
  detail: string
}

export type Verdict = Omit<Check, 'name'>
export const passed = (detail: string): Verdict => ({ ok: true, detail })
export const failed = (detail: string): Verdict => ({ ok: false, detail })
export const pending = (detail: string): Verdict => ({ ok: 'pending', detail })

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** A time for people; receipts may name any number. */
export const timeText = (seconds: number): string =>
  Math.abs(seconds) < 8e12 ? new Date(seconds * 1000).toISOString() : 'a time that no calendar has'
