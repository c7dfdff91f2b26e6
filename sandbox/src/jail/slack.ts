import { readFileSync } from 'node:fs'

const PF_EXITING = 4
const MOST_TIMES = 100
const MUCH_NS = 10_000_000

/** Field of /proc/PID/stat after the command's name; index 0 is field 3 of proc(5). */
const STATE = 0
const FLAGS = 6

function isAlive(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))
  } catch {
    return false
  }
}

/**
 * Whether a child that has not ended in time may have that time again: it is ending already, or this machine is so busy
 * that it has mostly waited for a CPU. One that runs or sleeps on its own account may not.
 */
export function slackFor(pid: number, zygote: number): () => boolean {
  let times = 0
  let ranBefore: number | undefined
  return () => {
    if (++times > MOST_TIMES) return false
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
        .replace(/^.*\) /s, '')
        .split(' ')
      if ((Number(stat[FLAGS]) & PF_EXITING) !== 0) return true
      if (stat[STATE] !== 'R') return false
      const ran = Number.parseInt(readFileSync(`/proc/${pid}/schedstat`, 'latin1'), 10)
      const starved = ranBefore === undefined || ran - ranBefore < MUCH_NS
      ranBefore = ran
      return starved
    } catch {
      return isAlive(zygote) // it is gone: the zygote will say so
    }
  }
}
