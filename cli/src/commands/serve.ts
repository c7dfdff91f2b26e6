import { onParentDeath } from '../dev/ancestors.ts'

export interface ServeOptions {
  json?: boolean
}

/** Prints a line of JSON, or of text for people. */
export function reporter({ json }: ServeOptions) {
  return {
    ready(fields: Record<string, unknown>, text: string) {
      process.stdout.write(json ? `${JSON.stringify({ event: 'ready', ...fields })}\n` : `${text}\n`)
    },
    log(level: 'info' | 'warning' | 'error', message: string) {
      process.stderr.write(
        json
          ? `${JSON.stringify({ event: 'log', level, message })}\n`
          : `${level === 'info' ? '' : `${level}: `}${message}\n`,
      )
    },
  }
}

/** Waits for Ctrl-C, TERM, HUP or the death of the parent, then closes. Throws where it ends because of `failed`. */
export async function untilStopped(close: () => Promise<void>, failed?: Promise<Error>): Promise<void> {
  const error = await new Promise<Error | undefined>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve(undefined))
    onParentDeath(() => resolve(undefined))
    void failed?.then(resolve)
  })
  await close()
  if (error) throw error
}
