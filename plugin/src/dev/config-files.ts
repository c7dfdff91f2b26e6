import { readdirSync, readFileSync, statSync, watch } from 'node:fs'
import path from 'node:path'

/** Milliseconds to gather what one save changes. */
const QUIET = 80
/** `${file(path)}` in a value; the path may have variables in it. */
const INCLUDE = /\$\{file\(\s*([^)]+?)\s*\)/g

const escaped = (text: string) => text.replace(/[.*+?^$()|[\]\\{}]/g, '\\$&')

/** The files that an included path may stand for: `config.${sls:stage}.yml` is any of the right form. */
function expand(file: string): string[] {
  if (!file.includes('${')) return [file]
  const name = path.basename(file)
  const dir = path.dirname(file)
  if (dir.includes('${')) return []
  const pattern = new RegExp(
    `^${name
      .split(/\$\{[^}]*\}/)
      .map(escaped)
      .join('.*')}$`,
  )
  try {
    return readdirSync(dir).flatMap((entry) => (pattern.test(entry) ? [path.join(dir, entry)] : []))
  } catch {
    return []
  }
}

const readText = (file: string): string | undefined => {
  try {
    return statSync(file).size > 1_000_000 ? undefined : readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}

/** serverless.yml, what it takes in by `${file(…)}`, and the .env files, each with its text where it is there. */
export function readConfigFiles(serviceDir: string, configFile: string): Map<string, string | undefined> {
  const files = new Map<string, string | undefined>()
  const queue = [path.resolve(serviceDir, configFile)]
  for (let file = queue.shift(); file; file = queue.shift()) {
    if (files.has(file)) continue
    const text = readText(file)
    files.set(file, text)
    for (const [, included] of text?.matchAll(INCLUDE) ?? [])
      queue.push(...expand(path.resolve(serviceDir, included!.replace(/^["']|["']$/g, ''))))
  }
  try {
    for (const entry of readdirSync(serviceDir)) {
      if (!/^\.env(\.|$)/.test(entry)) continue
      const file = path.join(serviceDir, entry)
      files.set(file, readText(file))
    }
  } catch {
    // the folder itself is gone: serverless.yml is missing, too
  }
  return files
}

const same = (a: Map<string, string | undefined>, b: Map<string, string | undefined>) =>
  a.size === b.size && [...a].every(([file, text]) => b.has(file) && b.get(file) === text)

/** Tells when the text of serverless.yml, of what it includes or of a .env file has become another. Returns how to stop. */
export function watchConfigFiles(serviceDir: string, configFile: string, changed: () => void): () => void {
  let known = readConfigFiles(serviceDir, configFile)
  let timer: NodeJS.Timeout | undefined
  const watchers = new Map<string, ReturnType<typeof watch>>()
  const look = () => {
    const now = readConfigFiles(serviceDir, configFile)
    const isSame = same(known, now)
    known = now
    follow()
    if (!isSame) changed()
  }
  // folders, not files: editors put a new file in an old one's place
  const follow = () => {
    const folders = new Set([serviceDir, ...Array.from(known.keys(), (file) => path.dirname(file))])
    for (const [folder, watcher] of watchers) {
      if (folders.has(folder)) continue
      watcher.close()
      watchers.delete(folder)
    }
    for (const folder of folders) {
      if (watchers.has(folder)) continue
      try {
        const watcher = watch(folder, () => {
          clearTimeout(timer)
          timer = setTimeout(look, QUIET)
        })
        watcher.on('error', () => watcher.close())
        watchers.set(folder, watcher)
      } catch {
        // it is not there, which reading the configuration says
      }
    }
  }
  follow()
  return () => {
    clearTimeout(timer)
    for (const watcher of watchers.values()) watcher.close()
  }
}
