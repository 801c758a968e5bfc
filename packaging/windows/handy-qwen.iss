; The installer for Windows, by Inno Setup 6. Everything it is to know comes from packaging/installers.py:
;   ISCC /DName=… /DVersion=… and the others that are asked for below
; It installs for the user alone unless asked otherwise, and so needs no rights. Without questions:
;   handy-qwen-….exe /VERYSILENT /SUPPRESSMSGBOXES [/ALLUSERS|/CURRENTUSER] [/DIR=…] [/TASKS=path]
; Exit status 7: the program runs and could not be ended.
;
; An update may be killed at any point, and the old or the new version starts. The libraries of each version have
; a folder of their own, _internal-VERSION; the program, which names that folder, is replaced after them, and older
; folders are deleted last. A plain _internal is not ours: it may be another program's in the same folder.

#ifndef Version
  #error Name, Title, Version, Publisher, InstallerId, AppId, Libraries, Mutex, Compression, Source, Output, FileName: packaging/build.py
#endif

[Setup]
AppId={{{#InstallerId}}
AppName={#Title}
AppVersion={#Version}
AppPublisher={#Publisher}
VersionInfoVersion={#Version}
DefaultDirName={code:ProgramsFolder}\{#Title}
DefaultGroupName={#Title}
DisableProgramGroupPage=yes
PrivilegesRequired=lowest
PrivilegesRequiredOverridesAllowed=dialog
ArchitecturesAllowed=x64compatible
ArchitecturesInstallIn64BitMode=x64compatible
MinVersion=10.0.17763
LicenseFile={#Source}\LICENSES.txt
SetupIconFile={#Source}\handy-qwen.ico
UninstallDisplayIcon={app}\{#Name}.exe
UninstallDisplayName={#Title}
OutputDir={#Output}
OutputBaseFilename={#FileName}
Compression={#Compression}
SolidCompression=yes
; Local times would differ with the time zone of the build.
TimeStampsInUTC=yes
WizardStyle=modern
ChangesEnvironment=yes
; The program is asked to end in PrepareToInstall. Windows would end it in the middle of a dictation.
CloseApplications=no

[Languages]
Name: "en"; MessagesFile: "compiler:Default.isl"
Name: "de"; MessagesFile: "compiler:Languages\German.isl"

[CustomMessages]
en.AddToPath=Put the command handy-qwen on the path
de.AddToPath=Den Befehl handy-qwen in den Suchpfad aufnehmen
en.StillRunning={#Title} is still running, perhaps for another user. Quit it in its menu, then try again.
de.StillRunning={#Title} läuft noch, vielleicht bei einem anderen Benutzer. Beenden Sie es in seinem Menü und versuchen Sie es noch einmal.
en.DeleteData=Delete your settings, history, recordings and models, too?
de.DeleteData=Auch Einstellungen, Verlauf, Aufnahmen und Modelle löschen?
en.DataStays=Not all of them could be deleted. What is left is in %LOCALAPPDATA%\{#Name}.
de.DataStays=Nicht alles konnte gelöscht werden. Der Rest liegt in %LOCALAPPDATA%\{#Name}.

[Tasks]
Name: "desktopicon"; Description: "{cm:CreateDesktopIcon}"; Flags: unchecked
Name: "path"; Description: "{cm:AddToPath}"; Flags: unchecked

[Files]
Source: "{#Source}\*"; Excludes: "\{#Name}.exe"; DestDir: "{app}"; Flags: ignoreversion recursesubdirs createallsubdirs
; Last: see above.
Source: "{#Source}\{#Name}.exe"; DestDir: "{app}"; Flags: ignoreversion

[Icons]
Name: "{group}\{#Title}"; Filename: "{app}\{#Name}.exe"; AppUserModelID: "{#AppId}"
Name: "{autodesktop}\{#Title}"; Filename: "{app}\{#Name}.exe"; AppUserModelID: "{#AppId}"; Tasks: desktopicon

[Registry]
Root: HKA; Subkey: "{code:EnvironmentKey}"; ValueType: expandsz; ValueName: "Path"; ValueData: "{olddata};{app}"; Tasks: path; Check: IsPathNeeded

[Run]
Filename: "{app}\{#Name}.exe"; Description: "{cm:LaunchProgram,{#Title}}"; Flags: nowait postinstall skipifsilent
Filename: "{app}\{#Name}.exe"; Parameters: "--hidden"; Flags: nowait runasoriginaluser; Check: IsToBeBack

[UninstallRun]
Filename: "{app}\{#Name}.exe"; Parameters: "autostart off"; Flags: runhidden; RunOnceId: "autostart"

[UninstallDelete]
; What an update left that was killed.
Type: filesandordirs; Name: "{app}\_internal-*"
Type: files; Name: "{app}\is-*.tmp"
Type: dirifempty; Name: "{app}"

[Code]
const
  Mutexes = '{#Mutex},Global\{#Mutex}';
  PatienceMs = 30000;

var
  WasRunning: Boolean;

function Call(Parameters: String): Boolean;
var
  Status: Integer;
begin
  Result := Exec(ExpandConstant('{app}\{#Name}.exe'), Parameters, '', SW_HIDE, ewWaitUntilTerminated, Status)
    and (Status = 0);
end;

function HasEnded: Boolean;
var
  WaitedMs: Integer;
begin
  if CheckForMutexes(Mutexes) then
    Call('quit');
  WaitedMs := 0;
  while CheckForMutexes(Mutexes) and (WaitedMs < PatienceMs) do
  begin
    Sleep(200);
    WaitedMs := WaitedMs + 200;
  end;
  Result := not CheckForMutexes(Mutexes);
end;

function PrepareToInstall(var NeedsRestart: Boolean): String;
begin
  WasRunning := CheckForMutexes(Mutexes);
  if HasEnded then
    Result := ''
  else
    Result := CustomMessage('StillRunning');
end;

function IsToBeBack: Boolean;
begin
  Result := WasRunning and WizardSilent;
end;

procedure CurStepChanged(Step: TSetupStep);
var
  Found: TFindRec;
begin
  if (Step <> ssPostInstall) or not FindFirst(ExpandConstant('{app}\_internal-*'), Found) then
    Exit;
  try
    repeat
      if CompareText(Found.Name, '{#Libraries}') <> 0 then
        DelTree(ExpandConstant('{app}\') + Found.Name, True, True, True);
    until not FindNext(Found);
  finally
    FindClose(Found);
  end;
end;

function InitializeUninstall: Boolean;
begin
  Result := HasEnded;
  if not Result and not UninstallSilent then
    MsgBox(CustomMessage('StillRunning'), mbError, MB_OK);
end;

function ProgramsFolder(Unused: String): String;
begin
  try
    Result := ExpandConstant('{autopf}');
  except
    // Wine does not know the user's own one. This is where Windows has it.
    Result := ExpandConstant('{localappdata}\Programs');
  end;
end;

function EnvironmentKey(Unused: String): String;
begin
  if IsAdminInstallMode then
    Result := 'SYSTEM\CurrentControlSet\Control\Session Manager\Environment'
  else
    Result := 'Environment';
end;

function IsPathNeeded: Boolean;
var
  Known: String;
begin
  Result := not RegQueryStringValue(HKA, EnvironmentKey(''), 'Path', Known)
    or (Pos(';' + Uppercase(ExpandConstant('{app}')) + ';', ';' + Uppercase(Known) + ';') = 0);
end;

procedure CurUninstallStepChanged(Step: TUninstallStep);
var
  Known, Own: String;
  Place: Integer;
begin
  if (Step = usUninstall) and not UninstallSilent
    and (MsgBox(CustomMessage('DeleteData'), mbConfirmation, MB_YESNO or MB_DEFBUTTON2) = IDYES) then
    if not Call('uninstall --data --yes') then
      MsgBox(CustomMessage('DataStays'), mbError, MB_OK);
  if (Step <> usPostUninstall) or not RegQueryStringValue(HKA, EnvironmentKey(''), 'Path', Known) then
    Exit;
  Own := ';' + ExpandConstant('{app}');
  Place := Pos(Uppercase(Own) + ';', Uppercase(Known) + ';');
  if Place > 0 then
  begin
    Delete(Known, Place, Length(Own));
    RegWriteExpandStringValue(HKA, EnvironmentKey(''), 'Path', Known);
  end;
end;
