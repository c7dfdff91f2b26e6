import { readFileSync } from 'node:fs'

interface Ancestor {
  pid: number
  parent: number
  /** Clock ticks: tells a process from a later one of the same number. */
  started: string
  command: string
}

function readProcess(pid: number): Ancestor | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    if (fields[0] === 'Z') return undefined
    const command = readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ').trim()
    return { pid, parent: Number(fields[1]), started: fields[19]!, command }
  } catch {
    return undefined
  }
}

/** Programs that only stand between a person and this command: they do not tell each other when one of them is gone. */
const isLauncher = ({ command }: Ancestor) => /\b(npx|npm)\b|npx-cli|npm-cli|peerhost(\.cjs)?\b/.test(command)

/** The processes from the parent up to the first that is no launcher of this command. */
function ancestors(): Ancestor[] {
  const list: Ancestor[] = []
  for (let pid = process.ppid; pid > 1; pid = list.at(-1)!.parent) {
    const ancestor = readProcess(pid)
    if (!ancestor) break
    list.push(ancestor)
    if (!isLauncher(ancestor)) break
  }
  return list
}

/**
 * Calls back once when the parent of this command has died, also where npx stands between: nobody tells a process that
 * its parent was killed, and npx orphans its command on some signals.
 */
export function onParentDeath(callback: () => void, pollMs = 250): () => void {
  const watched = ancestors()
  const timer = setInterval(() => {
    if (watched.every(({ pid, started }) => readProcess(pid)?.started === started)) return
    clearInterval(timer)
    callback()
  }, pollMs)
  timer.unref()
  return () => clearInterval(timer)
}
