;;; Drives eglot with the configuration of docs/editors.md: emacs -Q --batch -l CONFIGURATION -l eglot.el -- FOLDER

(setq eglot-sync-connect 60 eglot-autoshutdown nil make-backup-files nil create-lockfiles nil)

(defvar failures 0)
(defvar patience (string-to-number (or (getenv "IMPETUS_TEST_PATIENCE") "60")))
(defvar phases nil "Phases of the index as they were told, newest first.")
(defvar bars nil "Kinds of work-done progress, newest first.")

(defun check (name holds &optional more)
  (unless holds (setq failures (1+ failures)))
  (princ (format "%s %s %S\n" (if holds "ok  " "FAIL") name more)))

(defun await (condition)
  "Read from processes until CONDITION gives something; that, or nil when patience ends."
  (let ((end (+ (float-time) patience)) value)
    (while (and (not (setq value (funcall condition))) (< (float-time) end))
      (accept-process-output nil 0.05))
    value))

(defun shown (buffer text)
  (and (get-buffer buffer)
       (with-current-buffer buffer (string-search text (buffer-string)))))

(cl-defmethod eglot-handle-notification (_server (_method (eql impetus/statusChanged)) &key indexes &allow-other-keys)
  (seq-do (lambda (index) (push (plist-get index :phase) phases)) indexes))

(cl-defmethod eglot-handle-notification :before (_server (_method (eql $/progress)) &key value &allow-other-keys)
  (push (plist-get value :kind) bars))

(let ((folder (file-name-as-directory (car (last command-line-args)))))
  (find-file (concat folder "manifest.py"))
  (apply #'eglot (eglot--guess-contact))
  (check "attached" (eglot-current-server) (emacs-version))
  (check "indexed" (await (lambda () (member "ready" phases))) phases)
  (check "progress" (await (lambda () (member "end" bars))) bars)

  (impetus-search "total weight of all parcels")
  (check "search" (shown "*impetus search*" "manifest.py:"))

  (impetus-ask "how is the parcel manifest parsed?")
  (check "ask" (await (lambda () (shown "*impetus*" "parse_manifest"))))
  (with-current-buffer "*impetus*"
    (goto-char (point-min))
    (forward-button 1)
    (push-button))
  (check "citation" (string-suffix-p ".py" (buffer-file-name (window-buffer))) (buffer-file-name (window-buffer)))

  (set-buffer (find-file-noselect (concat folder "manifest.py")))
  (goto-char (point-min))
  (search-forward "def wei")
  (impetus-explain)
  (check "explain" (await (lambda () (shown "*impetus*" "`weigh` is a function"))))

  (let ((actions (eglot-code-actions (point-min) (point-max))))
    (check "code actions" (seq-some (lambda (action) (equal (plist-get action :title) "Explain with Impetus")) actions)))

  (check "symbols" (await (lambda () (xref-backend-apropos 'eglot "weigh"))))

  (setq-default eglot-workspace-configuration '(:impetus (:search (:limit 1))))
  (eglot-signal-didChangeConfiguration (eglot-current-server))
  (check "settings" (await (lambda ()
    (= 1 (length (plist-get (jsonrpc-request (eglot-current-server) :impetus/search '(:query "depot of the parcel network")) :hits))))))

  (eglot-shutdown (eglot-current-server)))

(kill-emacs (if (= failures 0) 0 1))
