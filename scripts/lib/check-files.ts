import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

/** Folders that exist on somebody's machine only; a jail's `/root` or a user guide's `~` are not among them. */
const MACHINE_PATHS =
  /(?<![\w.:/}-])\/(?:work\/(?:main|shared)|home\/[a-z][\w-]*|Users\/[A-Za-z][\w-]*|root\/[\w.-]+)(?![\w])/

/** What an entry of a lockfile must not hold: the address of the registry that somebody happened to use. */
const ADDRESS = /"resolved": "(?:https?|git|ssh|file)[:+]/

const LARGEST = 2_000_000

/**
 * Reads every committed file and finds download addresses in lockfiles and paths of one machine anywhere.
 *
 * @param root the repository
 * @returns whether there is nothing to find, and else one line for each finding
 */
export async function checkFiles(root: string): Promise<{ ok: boolean; output: string }> {
  const own = [root, homedir()].filter((path) => path.split('/').length > 2)
  const files = execFileSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8' }).split('\0').filter(Boolean)
  const findings: string[] = []
  for (const file of files) {
    const path = join(root, file)
    if (!existsSync(path) || !statSync(path).isFile() || statSync(path).size > LARGEST) continue
    const text = readFileSync(path, 'utf8')
    if (text.includes('\0')) continue
    if (file.endsWith('package-lock.json') && ADDRESS.test(text)) findings.push(`${file}: a download address`)
    const machinePath = own.find((one) => text.includes(`${one}/`)) ?? MACHINE_PATHS.exec(text)?.[0]
    if (machinePath !== undefined) findings.push(`${file}: the path ${machinePath} of one machine`)
  }
  return { ok: findings.length === 0, output: findings.join('\n') }
}
