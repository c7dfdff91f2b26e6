import { isPeerHostError, toPeerHostError } from '@peerhost/protocol'

/** Ends the process with an error in one sentence and the next step; with `--json` as JSON on standard output. */
export function fail(error: unknown, { json = false } = {}): never {
  const known = toPeerHostError(error)
  if (json) process.stdout.write(`${JSON.stringify({ event: 'error', ...known.toJSON() })}\n`)
  process.stderr.write(`peerhost: ${known.message}\n  ${known.hint} (${known.code})\n`)
  if (!isPeerHostError(error) && process.env.PEERHOST_DEBUG && error instanceof Error)
    process.stderr.write(`${error.stack}\n`)
  process.exit(1)
}
