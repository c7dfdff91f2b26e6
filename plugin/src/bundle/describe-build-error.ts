import path from 'node:path'
import type { NormalModule } from 'webpack'

interface Place {
  line?: number
  column?: number
}

const relative = (serviceDir: string, file: string) => {
  const short = path.relative(serviceDir, file)
  return short === '' ? file : short.replaceAll('\\', '/')
}

/** swc draws a frame below its message: `╭─[file:line:column]`, or `,-[` without Unicode. */
function fromSwc(message: string): { text: string; place: Place } | undefined {
  const place = /(?:╭─|,-)\[(?:.*):(\d+):(\d+)\]/.exec(message)
  if (!place) return undefined
  const text = message.split('\n').find((line) => /^\s*(?:×|x)\s+/.test(line)) ?? message.split('\n')[0]!
  return {
    text: text.replace(/^\s*(?:×|x)\s+/, '').trim(),
    place: { line: Number(place[1]), column: Number(place[2]) },
  }
}

/** What webpack's errors have in common. */
type BuildError = Error & { module?: unknown; loc?: unknown; error?: { message?: string; loc?: Place } }

/** One line with file and position: `src/quote.ts:3:7: Expected ';'`. Paths are those inside the service. */
export function describeBuildError(error: BuildError, serviceDir: string): string {
  const inner = error.error
  const raw = inner?.message ?? error.message
  const swc = fromSwc(raw)
  const loc = (error.loc as { start?: Place } | undefined)?.start ?? inner?.loc
  const place =
    swc?.place ?? (loc ? { line: loc.line, column: loc.column === undefined ? undefined : loc.column + 1 } : undefined)

  const resource = (error.module as NormalModule | undefined)?.resource
  const file = typeof resource === 'string' ? relative(serviceDir, resource.split('?')[0]!) : undefined
  const where = file && place?.line ? `${file}:${place.line}${place.column ? `:${place.column}` : ''}` : file

  const missing = /Can't resolve '([^']+)'/.exec(raw)?.[1]
  let text = swc?.text ?? raw.split('\n')[0]!.replace(/ \(\d+:\d+\)$/, '')
  if (missing) {
    text = `cannot find "${missing}"`
    if (/^(@aws-sdk\/|@smithy\/|aws-sdk(\/|$))/.test(missing))
      text += ' (Lambda supplies it; install it so that it can be bundled)'
  }
  return (where ? `${where}: ${text}` : text).replaceAll(`${serviceDir}${path.sep}`, '')
}
