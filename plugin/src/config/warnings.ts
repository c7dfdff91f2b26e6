/** Collects one line for each kind of thing, with the functions it concerns. */
export class Warnings {
  readonly #kinds = new Map<string, { reason?: string; functions: Set<string> }>()
  readonly #lines: string[] = []

  /** Something that is ignored. */
  add(kind: string, reason?: string, functionName?: string): void {
    const entry = this.#kinds.get(kind) ?? { reason, functions: new Set() }
    if (functionName) entry.functions.add(functionName)
    this.#kinds.set(kind, entry)
  }

  /** Something else that the developer should know. */
  say(line: string): void {
    if (!this.#lines.includes(line)) this.#lines.push(line)
  }

  lines(): string[] {
    const ignored = Array.from(this.#kinds, ([kind, { reason, functions }]) => {
      const where = functions.size > 0 ? ` (${[...functions].join(', ')})` : ''
      return `Ignored: ${kind}${where}${reason ? `: ${reason}` : ''}`
    })
    return [...ignored, ...this.#lines]
  }
}
