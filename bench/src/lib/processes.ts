import { readdirSync, readFileSync } from 'node:fs'

/** Processes that this one has started. Those that end meanwhile are left out. */
export function childrenOf(pid: number): number[] {
  try {
    const threads = readdirSync(`/proc/${pid}/task`)
    const lists = threads.map((thread) => readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8'))
    return lists.flatMap((list) => list.split(' ').filter(Boolean).map(Number))
  } catch {
    return []
  }
}

/** Processes below this one, at any depth. */
export function descendantsOf(pid: number): number[] {
  return childrenOf(pid).flatMap((child) => [child, ...descendantsOf(child)])
}

export function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()
  } catch {
    return ''
  }
}

/** Proportional set size in MB: what processes share is divided among them. */
export function proportionalMb(pid: number): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1')
  return Number(/^Pss:\s*(\d+)/m.exec(text)?.[1]) / 1024
}

/** A jail's processes, as seen from the worker that started it. */
export interface JailProcesses {
  nsjail: number
  zygote: number
  child: number | undefined
}

/** The jails that this process has started. */
export function jails(): JailProcesses[] {
  return childrenOf(process.pid).flatMap((nsjail) => {
    const [zygote] = childrenOf(nsjail)
    if (zygote === undefined || !commandOf(zygote).includes('/app/harness.cjs')) return []
    return [{ nsjail, zygote, child: childrenOf(zygote)[0] }]
  })
}
