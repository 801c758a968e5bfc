; The installer for Windows, by Inno Setup 6. Everything it is to know comes from packaging/installers.py:
;   ISCC /DName=… /DTitle=… /DVersion=… /DPublisher=… /DInstallerId=… /DSource=… /DOutput=… /DFileName=… handy-qwen.iss
; It installs for the user alone unless asked otherwise, and so needs no rights.

#ifndef Version
  #error Name, Title, Version, Publisher, InstallerId, Source, Output and FileName come from packaging/build.py
#endif

[Setup]
AppId={{{#InstallerId}}
AppName={#Title}
AppVersion={#Version}
AppPublisher={#Publisher}
VersionInfoVersion={#Version}
DefaultDirName={autopf}\{#Title}
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
Compression=lzma2/max
SolidCompression=yes
WizardStyle=modern
ChangesEnvironment=yes
CloseApplications=yes
RestartApplications=no

[Languages]
Name: "en"; MessagesFile: "compiler:Default.isl"
Name: "de"; MessagesFile: "compiler:Languages\German.isl"

[CustomMessages]
en.AddToPath=Put the command handy-qwen on the path
de.AddToPath=Den Befehl handy-qwen in den Suchpfad aufnehmen

[Tasks]
Name: "desktopicon"; Description: "{cm:CreateDesktopIcon}"; Flags: unchecked
Name: "path"; Description: "{cm:AddToPath}"; Flags: unchecked

[InstallDelete]
; Libraries of an earlier version must not mix with those of this one.
Type: filesandordirs; Name: "{app}\_internal"

[Files]
Source: "{#Source}\*"; DestDir: "{app}"; Flags: ignoreversion recursesubdirs createallsubdirs

[Icons]
Name: "{group}\{#Title}"; Filename: "{app}\{#Name}.exe"
Name: "{autodesktop}\{#Title}"; Filename: "{app}\{#Name}.exe"; Tasks: desktopicon

[Registry]
Root: HKA; Subkey: "{code:EnvironmentKey}"; ValueType: expandsz; ValueName: "Path"; ValueData: "{olddata};{app}"; Tasks: path; Check: IsPathNeeded

[Run]
Filename: "{app}\{#Name}.exe"; Description: "{cm:LaunchProgram,{#Title}}"; Flags: nowait postinstall skipifsilent

[UninstallRun]
; The running program is ended and its autostart removed; settings, models and history stay.
Filename: "{app}\{#Name}.exe"; Parameters: "quit"; Flags: runhidden; RunOnceId: "quit"
Filename: "{app}\{#Name}.exe"; Parameters: "autostart off"; Flags: runhidden; RunOnceId: "autostart"

[Code]
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
