import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

/** How a command ended and what it said. */
export interface RunResult {
  code: number | null
  stdout: string
  stderr: string
}

/** Where and how a command runs. */
export interface RunOptions {
  cwd?: string
  env?: NodeJS.ProcessEnv
  /** Gets each line of its output as it comes. */
  onLine?: (line: string) => void
}

/** Milliseconds that a process has to stop by itself. */
const GRACE = 15_000

/** The processes that a script started, so that it can stop all of them however it ends. */
export class Children {
  readonly #running = new Set<ChildProcess>()

  /** Starts a command that stays; its output goes to onLine. */
  start(command: string, args: string[], { cwd, env, onLine }: RunOptions = {}): ChildProcess {
    const child = spawn(command, args, { cwd, env: env ?? process.env, stdio: ['ignore', 'pipe', 'pipe'] })
    this.#running.add(child)
    child.once('close', () => this.#running.delete(child))
    child.once('error', () => this.#running.delete(child))
    if (onLine) {
      for (const stream of [child.stdout!, child.stderr!]) createInterface({ input: stream }).on('line', onLine)
    }
    return child
  }

  /** Runs a command to its end. Rejects only if it cannot be started. */
  run(command: string, args: string[], options: RunOptions = {}): Promise<RunResult> {
    return new Promise((done, fail) => {
      const child = this.start(command, args, options)
      let stdout = ''
      let stderr = ''
      child.stdout!.on('data', (chunk) => (stdout += chunk))
      child.stderr!.on('data', (chunk) => (stderr += chunk))
      child.once('error', fail)
      child.once('close', (code) => done({ code, stdout, stderr }))
    })
  }

  /** Stops all that still run: SIGTERM, and SIGKILL for what does not follow in time. */
  async stop(): Promise<void> {
    await Promise.all(
      [...this.#running].map(
        (child) =>
          new Promise<void>((done) => {
            const timer = setTimeout(() => child.kill('SIGKILL'), GRACE)
            child.once('close', () => {
              clearTimeout(timer)
              done()
            })
            child.kill('SIGTERM')
          }),
      ),
    )
  }
}
