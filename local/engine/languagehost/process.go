package main

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// endPatience is how long a program may take to end after being told to, before it is killed.
const endPatience = time.Second

// environ returns the variables that cmd would run with: appending to a nil Env would drop all inherited ones.
func environ(cmd *exec.Cmd) []string {
	if cmd.Env == nil {
		return os.Environ()
	}
	return cmd.Env
}

// terminateOnCancel makes the end of cmd's context arrive in Python as SIGTERM. SIGINT, as upstream sends it, becomes
// a KeyboardInterrupt: 25 lines of traceback that hide the error for which the engine gave up, from a program whose
// threads then wait for answers of an engine that waits for the program.
func terminateOnCancel(cmd *exec.Cmd) {
	cmd.Cancel = func() error {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			return cmd.Process.Kill()
		}
		return nil
	}
	cmd.WaitDelay = endPatience
}

// runBound starts cmd and calls wait, which must return after cmd ended. The
// kernel ends cmd with this process, however it ends: a killed engine or host
// leaves no program behind that goes on changing things.
func runBound(cmd *exec.Cmd, wait func() error) error {
	// The kernel sends the signal when the starting *thread* ends, and Go ends idle threads.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		return err
	}
	return wait()
}

// exitStatus returns the exit code carried by err; ok is false where the process did not run or ended by a signal.
func exitStatus(err error) (code int, ok bool) {
	var exit *exec.ExitError
	if !errors.As(err, &exit) || !exit.Exited() {
		return 0, false
	}
	return exit.ExitCode(), true
}
